{#- Neither doors, windows nor noise: this mart goes to people who do not live there. -#}
{%- set measures = ['temperature_c', 'humidity_pct', 'co2_ppm'] -%}

select
    calendar.year * 100 + calendar.month as month_key,
    date_trunc('month', calendar.date)::date as month_start,
    fact.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    fact.room_key,
    room.room_id,
    room.room_name,
{%- for measure in measures %}
    avg(fact.{{ measure }}) as {{ measure }}_avg,
    min(fact.{{ measure }}) as {{ measure }}_min,
    max(fact.{{ measure }}) as {{ measure }}_max,
{%- endfor %}
    100.0 * count(*) filter (fact.temperature_c < 19) / nullif(count(fact.temperature_c), 0) as below_19_c_pct,
    100.0 * count(*) filter (fact.temperature_c > 26) / nullif(count(fact.temperature_c), 0) as above_26_c_pct,
    100.0 * count(*) filter (fact.co2_ppm > 1000) / nullif(count(fact.co2_ppm), 0) as above_1000_ppm_pct,
    count(*) as minutes
from {{ source('gold', 'fact_environment_minute') }} as fact
{{ join_dims('fact', ['date', 'home', 'room']) }}
group by all
