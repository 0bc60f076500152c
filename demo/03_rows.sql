-- The rows: made here from numbers and md5, so that every run yields the same ones on every server version.

-- A number from 0 below n, picked by a word and a row number.
CREATE FUNCTION pg_temp.pick(salt text, row_number bigint, n integer) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ('x' || left(md5(salt || ':' || row_number), 7))::bit(28)::integer % n;

-- One of several words.
CREATE FUNCTION pg_temp.choose(salt text, row_number bigint, VARIADIC words text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN words[1 + pg_temp.pick(salt, row_number, cardinality(words))];

-- A telephone number as that country writes it.
CREATE FUNCTION pg_temp.phone(salt text, row_number bigint, country text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE country
        WHEN 'CN' THEN '1' || (ARRAY['38', '39', '58', '86', '77'])[1 + pg_temp.pick(salt || 'a', row_number, 5)]
                       || lpad(pg_temp.pick(salt, row_number, 100000000)::text, 8, '0')
        WHEN 'DE' THEN '+49 ' || (ARRAY['151', '160', '171', '176'])[1 + pg_temp.pick(salt || 'a', row_number, 4)]
                       || ' ' || lpad(pg_temp.pick(salt, row_number, 10000000)::text, 7, '0')
        ELSE '+44 7' || lpad(pg_temp.pick(salt || 'a', row_number, 1000)::text, 3, '0')
             || ' ' || lpad(pg_temp.pick(salt, row_number, 1000000)::text, 6, '0')
    END;

CREATE FUNCTION pg_temp.person(row_number bigint, country text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE country
        WHEN 'CN' THEN pg_temp.choose('surname', row_number, '王', '李', '张', '刘', '陈', '杨', '黄', '赵', '吴', '周',
                                      '徐', '孙', '马', '朱', '胡', '郭', '何', '林', '罗', '梁', '欧阳')
                       || pg_temp.choose('given', row_number, '伟', '芳', '娜', '秀英', '敏', '静', '丽', '强', '磊', '军',
                                         '洋', '艳', '勇', '杰', '娟', '涛', '明', '超', '建华', '文博', '雨桐', '子涵')
        WHEN 'DE' THEN pg_temp.choose('given', row_number, 'Anke', 'Bernd', 'Claudia', 'Dieter', 'Elke', 'Frank',
                                      'Gisela', 'Heiko', 'Jürgen', 'Katrin', 'Michael', 'Renate', 'Stefan', 'Uwe')
                       || ' ' || pg_temp.choose('surname', row_number, 'Müller', 'Schmidt', 'Schäfer', 'Koch', 'Bauer',
                                                'Richter', 'Klein', 'Wolf', 'Schröder', 'Neumann', 'Groß', 'Peters')
        ELSE pg_temp.choose('given', row_number, 'Agnes', 'Brian', 'Catherine', 'Duncan', 'Eleanor', 'Gavin', 'Hazel',
                            'Ian', 'Jean', 'Kenneth', 'Lorna', 'Malcolm', 'Nora', 'Robert')
             || ' ' || pg_temp.choose('surname', row_number, 'Smith', 'Jones', 'Brown', 'O''Connor', 'Wilson', 'McKenzie',
                                      'Taylor', 'Davies', 'Robertson', 'Hall', 'Green', 'Wood')
    END;

INSERT INTO public.products VALUES
    ('CRM-BASE', 'CRM base licence', 4800.00),   ('CRM-PLUS', 'CRM plus licence', 9600.00),
    ('BI-CUBE', 'Analytics cube', 12500.00),     ('SUP-GOLD', 'Gold support, a year', 18000.00),
    ('SUP-STD', 'Standard support, a year', 6000.00), ('TRAIN-2D', 'Two days of training', 3200.00),
    ('MIGRATE', 'Data migration', 15800.00),     ('API-1M', 'A million API calls', 999.90);

-- Who owns what: the sellers take turns, unevenly; one row in forty has nobody yet.
CREATE TEMP TABLE sellers AS
    SELECT row_number() OVER (ORDER BY user_id) - 1 AS turn, user_id, users.team_id,
           CASE WHEN users.team_id IN (2, 6, 7, 12, 13, 14, 15) THEN 'CN'
                WHEN users.team_id IN (3, 8, 16, 17) THEN 'DE' ELSE 'GB' END AS country
    FROM crm.users WHERE roles && '{sales_rep,sales_manager}'::crm.role[];

INSERT INTO public.customers (id, external_id, name, owner_id, team_id, level, country, city, phone, email, tax_id,
                              credit_limit, tags, profile, founded_on, created_at)
SELECT n, md5('customer:' || n)::uuid,
       CASE country
           WHEN 'CN' THEN city_cn || pg_temp.choose('firm', n, '华信', '中科', '恒通', '天成', '金桥', '东方', '远景', '博雅',
                                                    '鼎盛', '瑞丰', '海川', '德邦')
                          || pg_temp.choose('trade', n, '科技', '贸易', '制造', '医药', '物流', '食品', '能源', '电子')
                          || CASE WHEN n % 3 = 0 THEN '股份' ELSE '' END || '有限公司'
           WHEN 'DE' THEN pg_temp.choose('firm', n, 'Nordlicht', 'Bergmann', 'Rheintal', 'Adler', 'Havel', 'Kaiser',
                                         'Lindner', 'Vogel & Söhne', 'Spree', 'Alpen')
                          || ' ' || pg_temp.choose('trade', n, 'Maschinenbau', 'Logistik', 'Pharma', 'Software',
                                                   'Elektronik', 'Energie') || ' ' || pg_temp.choose('form', n, 'GmbH', 'AG')
           ELSE pg_temp.choose('firm', n, 'Thistle', 'Ashford', 'Kingsley', 'Northgate', 'Harbour', 'Redwood', 'Sterling',
                               'O''Neill', 'Pembroke', 'Lowland')
                || ' ' || pg_temp.choose('trade', n, 'Engineering', 'Foods', 'Textiles', 'Analytics', 'Shipping', 'Health')
                || ' ' || pg_temp.choose('form', n, 'Ltd', 'plc')
       END,
       CASE WHEN n % 40 <> 7 THEN user_id END,
       CASE WHEN n % 80 <> 7 THEN team_id END,
       (ARRAY['bronze', 'bronze', 'bronze', 'silver', 'silver', 'gold', 'platinum'])
           [1 + pg_temp.pick('level', n, 7)]::public.customer_level,
       country,
       CASE country WHEN 'CN' THEN city_cn
                    WHEN 'DE' THEN pg_temp.choose('city', n, 'Berlin', 'München', 'Hamburg', 'Köln')
                    ELSE pg_temp.choose('city', n, 'London', 'Edinburgh', 'Leeds', 'Glasgow') END,
       CASE WHEN n % 97 <> 0 THEN pg_temp.phone('firm', n, country) END,
       CASE WHEN n % 31 <> 0
            THEN pg_temp.choose('box', n, 'info', 'office', 'sales', 'contact') || '@c' || n || '.example.'
                 || CASE country WHEN 'CN' THEN 'cn' WHEN 'DE' THEN 'de' ELSE 'co.uk' END END,
       CASE country WHEN 'CN' THEN '9131' || upper(left(md5('tax:' || n), 8)) || lpad(n::text, 6, '0')
                    WHEN 'DE' THEN 'DE' || lpad((100000000 + n * 17)::text, 9, '0')
                    ELSE 'GB' || lpad((200000000 + n * 13)::text, 9, '0') END,
       (pg_temp.pick('credit', n, 200) * 5000 + pg_temp.pick('cents', n, 100) / 100.0)::numeric(12,2),
       CASE n % 5 WHEN 0 THEN '{}' WHEN 1 THEN '{vip,renewal}' WHEN 2 THEN '{trade-fair}'
                  WHEN 3 THEN ARRAY['重点', 'referral'] ELSE ARRAY['newsletter', NULL, 'web'] END,
       jsonb_build_object('industry', pg_temp.choose('industry', n, 'retail', 'manufacturing', 'health', 'finance'),
                          'employees', 5 + pg_temp.pick('employees', n, 4000),
                          'risk', jsonb_build_object('score', pg_temp.pick('risk', n, 100), 'reviewed', n % 2 = 0)),
       date '1975-01-01' + pg_temp.pick('founded', n, 16000),
       timestamptz '2019-01-02 08:00+00' + pg_temp.pick('created', n, 2500000) * interval '1 minute'
FROM generate_series(1, greatest(1, ceil(2000 * :scale))::integer) AS n
JOIN sellers ON turn = CASE WHEN n % 16 = 5 THEN 22 -- Alice is good at her work
                            WHEN n % 3 = 0 THEN pg_temp.pick('turn', n, 47) ELSE n % 47 END
CROSS JOIN LATERAL (SELECT pg_temp.choose('city', n, '上海', '北京', '杭州', '苏州', '天津', '深圳', '成都')) AS c (city_cn);

INSERT INTO public.customer_members (customer_id, user_id, team_id, can_edit, added_at)
SELECT c.id, s.user_id, NULL::integer, c.id % 2 = 0, c.created_at + interval '9 days'
FROM public.customers AS c JOIN sellers AS s ON s.turn = pg_temp.pick('member', c.id, 47)
WHERE c.id % 4 = 1 AND s.user_id IS DISTINCT FROM c.owner_id
UNION ALL
SELECT c.id, 36, NULL::integer, true, c.created_at + interval '12 days' -- Alice lends a hand
FROM public.customers AS c WHERE c.id % 50 = 9 AND c.owner_id IS DISTINCT FROM 36
UNION ALL
SELECT c.id, NULL, 12 + pg_temp.pick('helping team', c.id, 8), false, c.created_at + interval '20 days'
FROM public.customers AS c WHERE c.id % 25 = 3
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING;

INSERT INTO public.contacts (id, customer_id, name, title, phone, email, birthday, is_primary, languages, preferences,
                             created_at)
SELECT n, c.id, pg_temp.person(n, c.country),
       CASE c.country WHEN 'CN' THEN pg_temp.choose('title', n, '总经理', '采购经理', '财务总监', '工程师', '助理')
                      ELSE pg_temp.choose('title', n, 'Managing Director', 'Head of Purchasing', 'CFO', 'Engineer', 'PA') END,
       CASE WHEN n % 53 <> 0 THEN pg_temp.phone('person', n, c.country) END,
       CASE WHEN n % 29 <> 0 THEN 'p' || n || '@c' || c.id || '.example.'
                 || CASE c.country WHEN 'CN' THEN 'cn' WHEN 'DE' THEN 'de' ELSE 'co.uk' END END,
       CASE WHEN n % 3 <> 0 THEN date '1955-06-01' + pg_temp.pick('born', n, 17000) END,
       n <= (SELECT count(*) FROM public.customers),
       CASE c.country WHEN 'CN' THEN '{zh}' WHEN 'DE' THEN '{de,en}' ELSE '{en}' END::text[],
       jsonb_build_object('newsletter', n % 2 = 0, 'gift', pg_temp.choose('gift', n, 'tea', 'wine', 'none')),
       c.created_at + pg_temp.pick('met', n, 400) * interval '1 day'
FROM generate_series(1, 3 * (SELECT count(*) FROM public.customers)::integer) AS n
JOIN public.customers AS c ON c.id = 1 + (n - 1) % (SELECT count(*) FROM public.customers);

INSERT INTO public.opportunities (id, customer_id, owner_id, team_id, title, stage, amount, probability, products, notes,
                                  expected_on, created_at, updated_at)
SELECT n, c.id, coalesce(s.user_id, c.owner_id), coalesce(s.team_id, c.team_id),
       pg_temp.choose('work', n, 'Licences', 'Renewal', 'Analytics rollout', '二期项目', '系统升级', 'Support contract',
                      '年度框架协议', 'Pilot') || ' ' || (2020 + n % 6),
       stage::public.deal_stage,
       (1000 + pg_temp.pick('amount', n, 400) * 1250 + pg_temp.pick('cents', n, 100) / 100.0)::numeric(12,2),
       CASE stage WHEN 'lead' THEN 10 WHEN 'qualified' THEN 30 WHEN 'proposal' THEN 50
                  WHEN 'negotiation' THEN 75 WHEN 'won' THEN 100 ELSE 0 END,
       CASE n % 3 WHEN 0 THEN '{CRM-BASE,TRAIN-2D}' WHEN 1 THEN '{CRM-PLUS,BI-CUBE,SUP-GOLD}' ELSE '{API-1M}' END::varchar[],
       CASE WHEN n % 6 <> 0 THEN jsonb_build_object('competitor', pg_temp.choose('rival', n, 'none', 'Acme', 'Globex'),
                                                    'discount', pg_temp.pick('discount', n, 30),
                                                    'next', jsonb_build_array('call', 'visit')) END,
       (c.created_at + pg_temp.pick('opened', n, 500) * interval '1 day')::date + 90 + n % 60,
       c.created_at + pg_temp.pick('opened', n, 500) * interval '1 day',
       c.created_at + (pg_temp.pick('opened', n, 500) + pg_temp.pick('moved', n, 90)) * interval '1 day'
FROM generate_series(1, 2 * (SELECT count(*) FROM public.customers)::integer) AS n
JOIN public.customers AS c ON c.id = 1 + pg_temp.pick('buyer', n, (SELECT count(*) FROM public.customers)::integer)
LEFT JOIN sellers AS s ON n % 9 = 4 AND s.turn = pg_temp.pick('closer', n, 47)
CROSS JOIN LATERAL (SELECT pg_temp.choose('stage', n, 'lead', 'qualified', 'proposal', 'negotiation', 'won', 'won', 'lost'))
    AS d (stage);

INSERT INTO public.contracts (id, number, customer_id, opportunity_id, owner_id, team_id, status, amount, paid, bank_account,
                              terms, signed_on, ends_on, created_at)
SELECT n, 'C-' || extract(year FROM o.expected_on) || '-' || lpad(n::text, 6, '0'),
       o.customer_id, CASE WHEN o.stage = 'won' THEN o.id END, o.owner_id, o.team_id,
       (ARRAY['draft', 'active', 'active', 'active', 'suspended', 'ended'])
           [1 + pg_temp.pick('status', o.id, 6)]::public.contract_status,
       o.amount, round(o.amount * pg_temp.pick('paid', o.id, 5) / 4, 2),
       CASE c.country WHEN 'CN' THEN '6222' || lpad(pg_temp.pick('bank', o.id, 100000000)::text, 15, '0')
                      WHEN 'DE' THEN 'DE' || lpad(pg_temp.pick('bank', o.id, 100000000)::text, 20, '0')
                      ELSE 'GB29NWBK' || lpad(pg_temp.pick('bank', o.id, 100000000)::text, 14, '0') END,
       jsonb_build_object('currency', CASE c.country WHEN 'CN' THEN 'CNY' WHEN 'DE' THEN 'EUR' ELSE 'GBP' END,
                          'days', 30 * (1 + o.id % 3), 'penalty', o.id % 4 = 0),
       o.expected_on, o.expected_on + 365 * (1 + o.id % 3), o.updated_at + interval '1 hour'
FROM (SELECT *, row_number() OVER (ORDER BY (stage = 'won') DESC, id) AS n FROM public.opportunities) AS o
JOIN public.customers AS c ON c.id = o.customer_id
WHERE n <= (SELECT count(*) FROM public.customers);

INSERT INTO public.service_records (id, opened_at, customer_id, contact_id, owner_id, team_id, status, priority, subject,
                                    description, caller_phone, channels, satisfaction, details, closed_at)
SELECT n, opened_at, c.id, c.id, a.user_id, a.team_id, status::public.service_status, 1 + pg_temp.pick('priority', n, 5),
       pg_temp.choose('trouble', n, 'Login fails', 'Report is slow', '发票有误', '无法导出数据', 'Wrong invoice',
                      'Import stops at row 500', '咨询续费价格', 'Training request', 'App 闪退') || ' #' || n,
       CASE WHEN n % 7 <> 0 THEN 'Called by ' || pg_temp.person(n, c.country) || ', call back on '
                 || pg_temp.phone('caller', n, c.country) END,
       pg_temp.phone('caller', n, c.country),
       CASE n % 3 WHEN 0 THEN '{phone}' WHEN 1 THEN '{mail,chat}' ELSE '{微信}' END::text[],
       CASE WHEN status IN ('solved', 'closed') THEN (pg_temp.pick('happy', n, 101) / 10.0)::numeric(3,1) END,
       jsonb_build_object('os', pg_temp.choose('os', n, 'Windows', 'macOS', 'Linux'), 'reopened', n % 11 = 0),
       CASE WHEN status IN ('solved', 'closed')
            THEN opened_at + (1 + pg_temp.pick('hours', n, 400)) * interval '1 hour' END
FROM generate_series(1, 4 * (SELECT count(*) FROM public.customers)::integer) AS n
JOIN public.customers AS c ON c.id = 1 + pg_temp.pick('caller', n, (SELECT count(*) FROM public.customers)::integer)
LEFT JOIN (SELECT user_id, team_id, row_number() OVER (PARTITION BY CASE WHEN team_id = 10 THEN 'CN' ELSE '' END
                                                     ORDER BY user_id) - 1 AS turn,
                  CASE WHEN team_id = 10 THEN 'CN' ELSE '' END AS desk
           FROM crm.users WHERE roles && '{service_agent}'::crm.role[]) AS a
    ON a.desk = CASE WHEN c.country = 'CN' THEN 'CN' ELSE '' END AND n % 60 <> 11
       AND a.turn = pg_temp.pick('agent', n, CASE WHEN c.country = 'CN' THEN 3 ELSE 5 END)
CROSS JOIN LATERAL (SELECT pg_temp.choose('state', n, 'open', 'waiting', 'solved', 'closed', 'closed', 'closed'),
                           timestamptz '2023-01-03 07:00+00' + pg_temp.pick('called', n, 1620000) * interval '1 minute')
    AS d (status, opened_at);

INSERT INTO public.activities (id, customer_id, owner_id, summary, happened_at)
SELECT n, c.id, c.owner_id, pg_temp.choose('visit', n, 'Visit', '拜访客户', 'Demonstration', 'Lunch') || ' ' || c.city,
       c.created_at + pg_temp.pick('visited', n, 700) * interval '1 day'
FROM generate_series(1, (SELECT count(*) FROM public.customers)::integer / 2) AS n
JOIN public.customers AS c ON c.id = 1 + pg_temp.pick('visited', n, (SELECT count(*) FROM public.customers)::integer);

INSERT INTO public.calls (id, customer_id, owner_id, summary, happened_at, seconds)
SELECT 1000000 + n, c.id, c.owner_id, pg_temp.choose('call', n, 'Call', '电话回访'),
       c.created_at + pg_temp.pick('called', n, 700) * interval '1 day', 20 + pg_temp.pick('length', n, 1800)
FROM generate_series(1, (SELECT count(*) FROM public.customers)::integer / 2) AS n
JOIN public.customers AS c ON c.id = 1 + pg_temp.pick('called', n, (SELECT count(*) FROM public.customers)::integer);

DROP TABLE sellers;
DROP FUNCTION pg_temp.person;
DROP FUNCTION pg_temp.phone;
DROP FUNCTION pg_temp.choose;
DROP FUNCTION pg_temp.pick;

-- New rows of an application come after these.
SELECT setval(pg_get_serial_sequence(t, 'id'), 2000000)
FROM unnest('{public.customers,public.contacts,public.opportunities,public.contracts,public.service_records,public.activities}'::text[]) AS t;
