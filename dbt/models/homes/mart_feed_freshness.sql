{#- A view over what the file holds, so it is as fresh as the file, and ends where a person's dates end. -#}
with newest as (
    select apartment_key, 'energy' as subject, max(datetime_key) as newest_datetime_key
    from {{ source('gold', 'fact_energy_minute') }}
    group by apartment_key
    union all
    select apartment_key, 'environment' as subject, max(datetime_key) as newest_datetime_key
    from {{ source('gold', 'fact_environment_minute') }}
    group by apartment_key
    union all
    select apartment_key, 'presence' as subject, max(datetime_key) as newest_datetime_key
    from {{ source('gold', 'fact_presence_minute') }}
    group by apartment_key
)

select
    newest.apartment_key,
    apartment.apartment_id,
    apartment.name as apartment_name,
    newest.subject,
    newest.newest_datetime_key,
    moment.timestamp_utc as newest_utc,
    moment.timestamp_local as newest_local
from newest
inner join {{ source('gold', 'dim_apartment') }} as apartment on newest.apartment_key = apartment.apartment_key
inner join {{ source('gold', 'dim_datetime') }} as moment on newest.newest_datetime_key = moment.datetime_key
