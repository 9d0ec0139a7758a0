select
    battery.apartment_key,
    apartment.apartment_id,
    battery.device_key,
    device.device_id,
    min(battery.battery_pct) as battery_min_pct,
    count(*) as minutes
from {{ source('gold', 'fact_battery_minute') }} as battery
{{ join_dims('battery', ['home', 'device']) }}
group by all
