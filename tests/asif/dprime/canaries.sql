-- Unique marks in every value that a policy can hide: texts carry qz and seven hexadecimal digits, numbers and
-- the middle of telephone numbers 9174 and five digits. Whoever sees a mark that is not in their own database has
-- seen a hidden value.
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.mark(what text, id bigint) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN 'qz' || left(md5(what || id), 7);
CREATE FUNCTION pg_temp.digits(what integer, id bigint) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN '9174' || lpad((what * 2000 + id % 2000)::text, 5, '0');

UPDATE public.customers SET
    name = left(name, 60) || ' ' || pg_temp.mark('cn', id),
    phone = left(phone, 3) || pg_temp.digits(1, id) || right(phone, 4),
    email = left(email, 1) || pg_temp.mark('ce', id) || '@' || split_part(email, '@', 2),
    tax_id = left(tax_id, 2) || pg_temp.mark('ct', id) || right(tax_id, 3),
    credit_limit = (pg_temp.digits(2, id) || '.25')::numeric,
    tags = tags || pg_temp.mark('cg', id),
    profile = profile || jsonb_build_object('note', pg_temp.mark('cp', id));
UPDATE public.contacts SET
    name = left(name, 40) || ' ' || pg_temp.mark('on', id),
    phone = left(phone, 3) || pg_temp.digits(3, id) || right(phone, 4),
    email = left(email, 1) || pg_temp.mark('oe', id) || '@' || split_part(email, '@', 2),
    preferences = preferences || jsonb_build_object('note', pg_temp.mark('op', id));
UPDATE public.opportunities SET
    title = left(title, 90) || ' ' || pg_temp.mark('pt', id),
    amount = (pg_temp.digits(4, id) || '.50')::numeric,
    notes = notes || jsonb_build_object('note', pg_temp.mark('pn', id));
UPDATE public.contracts SET
    number = left(number, 6) || pg_temp.mark('kn', id),
    amount = (pg_temp.digits(5, id) || '.75')::numeric,
    paid = (pg_temp.digits(6, id) || '.10')::numeric / 4,
    bank_account = left(bank_account, 4) || pg_temp.mark('kb', id) || right(bank_account, 4),
    terms = terms || jsonb_build_object('note', pg_temp.mark('kt', id));
UPDATE public.service_records SET
    subject = left(subject, 90) || ' ' || pg_temp.mark('ss', id),
    description = left(description, 40) || ' ' || pg_temp.mark('sd', id),
    caller_phone = left(caller_phone, 3) || pg_temp.digits(7, id) || right(caller_phone, 4),
    details = details || jsonb_build_object('note', pg_temp.mark('sx', id));
UPDATE ONLY public.activities SET summary = left(summary, 120) || ' ' || pg_temp.mark('as', id);
UPDATE public.calls SET summary = left(summary, 120) || ' ' || pg_temp.mark('ls', id);
UPDATE crm.users SET full_name = left(full_name, 40) || ' ' || pg_temp.mark('uf', user_id);
REFRESH MATERIALIZED VIEW public.monthly_revenue;
DROP FUNCTION pg_temp.mark(text, bigint);
DROP FUNCTION pg_temp.digits(integer, bigint);
RESET session_replication_role;
-- Somebody who may log in and has no right at all.
ALTER TYPE crm.role ADD VALUE IF NOT EXISTS 'visitor';
