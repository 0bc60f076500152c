-- Views as applications and reports make them: plain, nested, a security barrier, a materialized one.
CREATE VIEW public.open_opportunities AS
    SELECT o.id, o.customer_id, o.owner_id, o.title, o.stage, o.amount, o.expected_amount, o.expected_on
    FROM public.opportunities AS o
    WHERE o.stage NOT IN ('won', 'lost');

CREATE VIEW public.pipeline AS
    SELECT c.id AS customer_id, c.name, c.level, c.phone, count(*) AS deals, sum(p.amount) AS amount,
           max(p.expected_on) AS latest
    FROM public.open_opportunities AS p JOIN public.customers AS c ON c.id = p.customer_id
    GROUP BY c.id;

CREATE VIEW public.key_customers WITH (security_barrier) AS
    SELECT id, name, level, phone, email, owner_id FROM public.customers WHERE level IN ('gold', 'platinum');

CREATE MATERIALIZED VIEW public.monthly_revenue AS
    SELECT date_trunc('month', signed_on)::date AS month, status, count(*) AS contracts, sum(amount) AS amount,
           sum(paid) AS paid
    FROM public.contracts GROUP BY 1, 2;
CREATE UNIQUE INDEX ON public.monthly_revenue (month, status);

-- What a deal is worth on average: a function of the application's own.
CREATE FUNCTION public.weighted(amount numeric, probability smallint) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN round(amount * probability / 100, 2);
