with by_day as (
    select
        date_key,
        apartment_key,
        room_key,
        device_key,
        sum(energy_kwh) as energy_kwh,
        sum(cost_chf) as cost_chf,
        coalesce(sum(energy_kwh) filter (cost_chf is null), 0) as unpriced_kwh,
        count(*) as minutes
    from {{ source('gold', 'fact_energy_minute') }}
    group by date_key, apartment_key, room_key, device_key
),

-- A home that has a house meter is counted by it on every day, also on days the meter is silent.
metered as (
    select distinct room.apartment_key
    from {{ source('gold', 'dim_device') }} as device
    inner join {{ source('gold', 'dim_room') }} as room on device.room_key = room.room_key
    where device.device_type = 'house_meter'
)

select
    by_day.date_key,
    calendar.date as local_date,
    by_day.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    by_day.room_key,
    room.room_id,
    room.room_name,
    by_day.device_key,
    device.device_id,
    device.device_name,
    device.device_type = 'house_meter' as is_house_meter,
    device.device_type = 'house_meter' or metered.apartment_key is null as is_total,
    by_day.energy_kwh,
    by_day.cost_chf,
    by_day.unpriced_kwh,
    by_day.minutes
from by_day
{{ join_dims('by_day', ['date', 'home', 'room', 'device']) }}
left join metered on by_day.apartment_key = metered.apartment_key
