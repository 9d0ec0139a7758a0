-- A home's total comes from its plugs before its house meter first said a watt or more, and from the meter from then
-- on. A meter that only ever said 0 beside plugs is no meter yet. Meters of single rooms are part of the house's.
with meters as (
    select
        room.apartment_key,
        device.device_key,
        device.device_type
    from {{ source('gold', 'dim_device') }} as device
    inner join {{ source('gold', 'dim_room') }} as room on device.room_key = room.room_key
    where device.device_type in ('house_meter', 'plug', 'sub_meter')
),

metered as (
    select
        meters.apartment_key,
        min(minute.datetime_key) as metered_from
    from {{ source('gold', 'fact_energy_minute') }} as minute
    inner join meters on minute.device_key = meters.device_key
    -- Less than a watt is noise of a meter that is not connected.
    where meters.device_type = 'house_meter' and abs(minute.energy_wh) * 60 >= 1
    group by meters.apartment_key
),

plugged as (
    select distinct apartment_key from meters where device_type = 'plug'
),

by_day as (
    select
        minute.date_key,
        minute.apartment_key,
        minute.room_key,
        minute.device_key,
        case meters.device_type
            when 'house_meter'
                then plugged.apartment_key is null or coalesce(minute.datetime_key >= metered.metered_from, false)
            when 'plug' then coalesce(minute.datetime_key < metered.metered_from, true)
            else false
        end as is_total,
        sum(minute.energy_kwh) as energy_kwh,
        sum(minute.energy_import_kwh) as energy_import_kwh,
        sum(minute.energy_export_kwh) as energy_export_kwh,
        sum(minute.cost_chf) as cost_chf,
        coalesce(sum(minute.energy_kwh) filter (minute.cost_chf is null), 0) as unpriced_kwh,
        count(*) as minutes
    from {{ source('gold', 'fact_energy_minute') }} as minute
    left join meters on minute.device_key = meters.device_key
    left join metered on minute.apartment_key = metered.apartment_key
    left join plugged on minute.apartment_key = plugged.apartment_key
    group by all
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
    by_day.is_total,
    by_day.energy_kwh,
    by_day.energy_import_kwh,
    by_day.energy_export_kwh,
    by_day.cost_chf,
    by_day.unpriced_kwh,
    by_day.minutes
from by_day
{{ join_dims('by_day', ['date', 'home', 'room', 'device']) }}
