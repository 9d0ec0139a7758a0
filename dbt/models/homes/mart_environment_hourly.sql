{%- set measures = ['temperature_c', 'humidity_pct', 'co2_ppm', 'noise_db', 'pressure_hpa'] -%}

with timed as (
    select
        fact.*,
        -- The UTC time at which the local hour began: autumn's repeated hour stays two hours.
        moment.timestamp_utc - to_minutes(moment.minute) as hour_utc,
        moment.hour as local_hour
    from {{ source('gold', 'fact_environment_minute') }} as fact
    inner join {{ source('gold', 'dim_datetime') }} as moment on fact.datetime_key = moment.datetime_key
),

by_hour as (
    select
        hour_utc,
        date_key,
        local_hour,
        apartment_key,
        room_key,
    {%- for measure in measures %}
        avg({{ measure }}) as {{ measure }}_avg,
        min({{ measure }}) as {{ measure }}_min,
        max({{ measure }}) as {{ measure }}_max,
    {%- endfor %}
        count(*) as minutes,
        sum(window_open_flag::integer)::bigint as window_open_minutes,
        count(*) filter (is_anomaly) as anomaly_minutes
    from timed
    group by hour_utc, date_key, local_hour, apartment_key, room_key
)

select
    by_hour.hour_utc,
    by_hour.date_key,
    calendar.date as local_date,
    by_hour.local_hour,
    by_hour.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    by_hour.room_key,
    room.room_id,
    room.room_name,
{%- for measure in measures %}
    by_hour.{{ measure }}_avg,
    by_hour.{{ measure }}_min,
    by_hour.{{ measure }}_max,
{%- endfor %}
    by_hour.minutes,
    by_hour.window_open_minutes,
    by_hour.anomaly_minutes
from by_hour
{{ join_dims('by_hour', ['date', 'home', 'room']) }}
