{#
    Fails with each column that holds a value outside its range, and how many.
    ranges: column name -> [minimum or null, maximum or null], both inclusive; NaN is above any maximum.
#}
{% test columns_in_range(model, ranges) %}
with counted as (
    select
    {%- for column, (minimum, maximum) in ranges.items() %}
        count(*) filter (
            {%- if minimum is not none %} {{ column }} < {{ minimum }}{% endif %}
            {%- if minimum is not none and maximum is not none %} or{% endif %}
            {%- if maximum is not none %} {{ column }} > {{ maximum }}{% endif %}) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ model }}
)

select column_name, row_count
from counted unpivot (row_count for column_name in ({{ ranges | join(', ') }}))
where row_count > 0
{% endtest %}
