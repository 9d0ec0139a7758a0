{# Fails with each column that holds a null, and how many. #}
{% test columns_not_null(model, columns) %}
with counted as (
    select
    {%- for column in columns %}
        count(*) - count({{ column }}) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ model }}
)

select column_name, null_count
from counted unpivot (null_count for column_name in ({{ columns | join(', ') }}))
where null_count > 0
{% endtest %}
