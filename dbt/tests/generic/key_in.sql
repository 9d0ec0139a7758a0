{#
    Fails with each key that the table it refers to does not hold.
    table: as plain text and not as a source, since Dagster shows a test of a source as a check only
    where the test depends on that one source. none_key: a key that stands for none.
#}
{% test key_in(model, column_name, table, field, none_key=none) %}
select child.{{ column_name }}, count(*) as row_count
from {{ model }} as child
anti join {{ table }} as parent on child.{{ column_name }} = parent.{{ field }}
where child.{{ column_name }} is not null
{%- if none_key is not none %} and child.{{ column_name }} <> {{ none_key }}{% endif %}
group by child.{{ column_name }}
{% endtest %}
