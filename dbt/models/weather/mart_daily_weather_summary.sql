with nearest as (
    select *
    from {{ source('gold', 'fact_weather_day') }}
    qualify row_number() over (partition by site_key, date_key order by horizon_days) = 1
),

-- Of a valid time the lowest step counts, as in fact_weather_day.
by_hour as (
    select
        site_key,
        issue_date_key,
        date_key,
        datetime_key,
        arg_min(temperature_c_ctrl, step) as temperature_c
    from {{ source('gold', 'fact_weather_hour') }}
    where temperature_c_ctrl is not null
    group by site_key, issue_date_key, date_key, datetime_key
),

extremes as (
    select
        by_hour.site_key,
        by_hour.date_key,
        date_diff('day', issued.date, valid.date) as horizon_days,
        min(by_hour.temperature_c) as temperature_c_min,
        max(by_hour.temperature_c) as temperature_c_max
    from by_hour
    inner join {{ source('gold', 'dim_date') }} as valid on by_hour.date_key = valid.date_key
    inner join {{ source('gold', 'dim_date') }} as issued on by_hour.issue_date_key = issued.date_key
    group by all
)

select
    nearest.date_key,
    calendar.date as local_date,
    nearest.site_key,
    site.site_code,
    site.name as site_name,
    nearest.horizon_days,
    nearest.temperature_c_avg,
    extremes.temperature_c_min,
    extremes.temperature_c_max,
    nearest.humidity_pct_avg,
    nearest.precipitation_mm_sum,
    nearest.radiation_whm2_sum,
    nearest.hours
from nearest
inner join {{ source('gold', 'dim_date') }} as calendar on nearest.date_key = calendar.date_key
inner join {{ source('gold', 'dim_weather_site') }} as site on nearest.site_key = site.site_key
left join extremes
    on
        nearest.site_key = extremes.site_key
        and nearest.date_key = extremes.date_key
        and nearest.horizon_days = extremes.horizon_days
