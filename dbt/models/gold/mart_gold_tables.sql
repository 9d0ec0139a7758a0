{#- It reads every Gold table, which makes Dagster show the tests of each as checks of its asset. -#}
{%- set undated = [
    'dim_apartment', 'dim_room', 'dim_device', 'dim_tariff', 'dim_weather_site', 'dim_model', 'dim_horizon', 'dim_target'
] -%}
{%- set dated = [
    'dim_datetime', 'dim_date', 'fact_energy_minute', 'fact_environment_minute', 'fact_presence_minute',
    'fact_device_health_day', 'fact_weather_hour', 'fact_weather_day'
] -%}

{%- for table in undated + dated %}
select
    '{{ table }}' as table_name,
    count(*) as row_count,
    {{ 'min(date_key)' if table in dated else 'null::integer' }} as first_date_key,
    {{ 'max(date_key)' if table in dated else 'null::integer' }} as last_date_key
from {{ source('gold', table) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
