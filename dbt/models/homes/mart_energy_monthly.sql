select
    calendar.year * 100 + calendar.month as month_key,
    date_trunc('month', daily.local_date)::date as month_start,
    daily.apartment_key,
    daily.apartment_id,
    daily.apartment_name,
    daily.room_key,
    daily.room_id,
    daily.room_name,
    daily.device_key,
    daily.device_id,
    daily.device_name,
    daily.is_house_meter,
    daily.is_total,
    sum(daily.energy_kwh) as energy_kwh,
    sum(daily.energy_import_kwh) as energy_import_kwh,
    sum(daily.energy_export_kwh) as energy_export_kwh,
    sum(daily.cost_chf) as cost_chf,
    sum(daily.unpriced_kwh) as unpriced_kwh,
    count(*) as days,
    sum(daily.minutes)::bigint as minutes
from {{ ref('mart_energy_daily') }} as daily
inner join {{ source('gold', 'dim_date') }} as calendar on daily.date_key = calendar.date_key
group by all
