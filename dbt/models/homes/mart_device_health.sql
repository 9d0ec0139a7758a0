with dated as (
    select
        health.*,
        calendar.date as local_date,
        max(calendar.date) over (partition by health.apartment_key) as home_last_date
    from {{ source('gold', 'fact_device_health_day') }} as health
    inner join {{ source('gold', 'dim_date') }} as calendar on health.date_key = calendar.date_key
),

by_device as (
    select
        apartment_key,
        room_key,
        device_key,
        min(local_date) as first_date,
        max(local_date) as last_date,
        max(local_date) filter (uptime_pct > 0) as last_reading_date,
    {%- for days in [7, 30] %}
        avg(uptime_pct) filter (local_date > home_last_date - {{ days }}) as uptime_{{ days }}d_pct,
        coalesce(sum(missing_readings) filter (local_date > home_last_date - {{ days }}), 0)::bigint
            as missing_readings_{{ days }}d,
        coalesce(sum(error_count) filter (local_date > home_last_date - {{ days }}), 0)::bigint as errors_{{ days }}d,
    {%- endfor %}
        arg_max(battery_min_pct, local_date) filter (battery_min_pct is not null) as battery_pct,
        max(local_date) filter (battery_min_pct is not null) as battery_date
    from dated
    group by apartment_key, room_key, device_key
)

select
    by_device.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    by_device.room_key,
    room.room_id,
    room.room_name,
    by_device.device_key,
    device.device_id,
    device.device_name,
    device.device_type,
    by_device.first_date,
    by_device.last_date,
    by_device.last_reading_date,
    by_device.last_date - by_device.last_reading_date as silent_days,
    by_device.uptime_7d_pct,
    by_device.missing_readings_7d,
    by_device.errors_7d,
    by_device.uptime_30d_pct,
    by_device.missing_readings_30d,
    by_device.errors_30d,
    by_device.battery_pct,
    by_device.battery_date
from by_device
{{ join_dims('by_device', ['home', 'room', 'device']) }}
