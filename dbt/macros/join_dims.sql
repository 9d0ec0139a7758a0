{# Joins rows to the dimensions named: date (as calendar), home (as apartment), room, device. #}
{% macro join_dims(rows, dims) -%}
{%- set known = {
    'date': ['dim_date', 'calendar', 'date_key'],
    'home': ['dim_apartment', 'apartment', 'apartment_key'],
    'room': ['dim_room', 'room', 'room_key'],
    'device': ['dim_device', 'device', 'device_key'],
} -%}
{%- for dim in dims %}
{%- set table, alias, key = known[dim] %}
inner join {{ source('gold', table) }} as {{ alias }} on {{ rows }}.{{ key }} = {{ alias }}.{{ key }}
{%- endfor %}
{%- endmacro %}
