-- Written by `python -m domotic_assets.pages.dbt_sources` from the schemas: change those.
select
    'dim_datetime' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'dim_datetime') }}
union all
select
    'dim_date' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'dim_date') }}
union all
select
    'dim_apartment' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_apartment') }}
union all
select
    'dim_room' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_room') }}
union all
select
    'dim_device' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_device') }}
union all
select
    'dim_tariff' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_tariff') }}
union all
select
    'dim_weather_site' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_weather_site') }}
union all
select
    'dim_model' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_model') }}
union all
select
    'dim_horizon' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_horizon') }}
union all
select
    'dim_target' as table_name,
    count(*) as row_count,
    null::integer as first_date_key,
    null::integer as last_date_key
from {{ source('gold', 'dim_target') }}
union all
select
    'fact_energy_minute' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_energy_minute') }}
union all
select
    'fact_environment_minute' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_environment_minute') }}
union all
select
    'fact_presence_minute' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_presence_minute') }}
union all
select
    'fact_device_health_day' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_device_health_day') }}
union all
select
    'fact_weather_hour' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_weather_hour') }}
union all
select
    'fact_weather_day' as table_name,
    count(*) as row_count,
    min(date_key) as first_date_key,
    max(date_key) as last_date_key
from {{ source('gold', 'fact_weather_day') }}
