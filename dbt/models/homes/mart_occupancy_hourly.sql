select
    fact.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    fact.room_key,
    room.room_id,
    room.room_name,
    moment.day_of_week,
    moment.hour as local_hour,
    100.0 * count(*) filter (fact.presence_flag) / count(*) as presence_pct,
    count(*) filter (fact.presence_flag) as presence_minutes,
    count(*) as minutes,
    count(distinct moment.date_key) as days
from {{ source('gold', 'fact_presence_minute') }} as fact
inner join {{ source('gold', 'dim_datetime') }} as moment on fact.datetime_key = moment.datetime_key
{{ join_dims('fact', ['home', 'room']) }}
where fact.presence_flag is not null
group by all
