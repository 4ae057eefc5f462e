-- ANALYZE writes samples of what stands in a column into a table that is logged. No text and no hash of
-- a read table may get there, so none is sampled, nor an index's expression over one.
do $$
declare
    one record;
begin
    for one in
        select class.relkind = 'i' as is_index, class.relname, attribute.attname, attribute.attnum
        from pg_class class
        join pg_attribute attribute on attribute.attrelid = class.oid
        left join pg_index index on index.indexrelid = class.oid
        where class.relnamespace = current_schema()::regnamespace
          and attribute.attnum > 0 and not attribute.attisdropped
          and attribute.atttypid = any ('{text, text[], bytea, bytea[]}'::regtype[])
          and coalesce(attribute.attstattarget, -1) <> 0
          and (class.relkind = 'r' or class.relkind = 'i' and index.indkey[attribute.attnum - 1] = 0)
    loop
        if one.is_index then
            execute format('alter index %I alter column %s set statistics 0', one.relname, one.attnum);
        else
            execute format('alter table %I alter column %I set statistics 0', one.relname, one.attname);
        end if;
    end loop;
end
$$;
