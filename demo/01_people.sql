-- Who works here: teams on four levels and sixty people, as a CRM keeps them.
CREATE SCHEMA crm;

CREATE TYPE crm.role AS ENUM ('sales_rep', 'sales_manager', 'finance', 'service_agent', 'executive');

CREATE TABLE crm.teams (
    team_id   integer PRIMARY KEY,
    parent_id integer REFERENCES crm.teams,
    name      varchar(60) NOT NULL UNIQUE,
    city      varchar(40) NOT NULL,
    countries char(2)[] NOT NULL, -- whose customers the team serves
    CHECK (parent_id <> team_id)
);
CREATE INDEX ON crm.teams (parent_id);

INSERT INTO crm.teams VALUES
    (1,  NULL, 'Headquarters 总部',         'Shanghai', '{CN,DE,GB}'),
    (2,  1,    'Sales China 中国销售部',     'Shanghai', '{CN}'),
    (3,  1,    'Sales Europe 欧洲销售部',    'Berlin', '{DE,GB}'),
    (4,  1,    'Customer Service 客户服务部', 'Shanghai', '{CN,DE,GB}'),
    (5,  1,    'Finance 财务部',             'Shanghai', '{CN,DE,GB}'),
    (6,  2,    'North China 华北大区',       'Beijing', '{CN}'),
    (7,  2,    'East China 华东大区',        'Shanghai', '{CN}'),
    (8,  3,    'Germany',                   'Berlin', '{DE}'),
    (9,  3,    'Britain',                   'London', '{GB}'),
    (10, 4,    'Service Desk China 中国服务台', 'Shanghai', '{CN}'),
    (11, 4,    'Service Desk Europe',       'London', '{DE,GB}'),
    (12, 6,    'Beijing 北京组',             'Beijing', '{CN}'),
    (13, 6,    'Tianjin 天津组',             'Tianjin', '{CN}'),
    (14, 7,    'Shanghai 上海组',            'Shanghai', '{CN}'),
    (15, 7,    'Hangzhou 杭州组',            'Hangzhou', '{CN}'),
    (16, 8,    'Berlin',                    'Berlin', '{DE}'),
    (17, 8,    'Munich',                    'Munich', '{DE}'),
    (18, 9,    'London',                    'London', '{GB}'),
    (19, 9,    'Edinburgh',                 'Edinburgh', '{GB}');

CREATE TABLE crm.users (
    user_id    integer PRIMARY KEY,
    login      varchar(40) NOT NULL UNIQUE CHECK (login ~ '^[a-z][a-z0-9_]*$'),
    full_name  varchar(60) NOT NULL,
    roles      crm.role[] NOT NULL CHECK (cardinality(roles) > 0),
    team_id    integer NOT NULL REFERENCES crm.teams,
    manager_id integer REFERENCES crm.users,
    email      varchar(120) NOT NULL,
    hired_on   date NOT NULL,
    active     boolean NOT NULL DEFAULT true,
    CHECK (manager_id <> user_id)
);
CREATE INDEX ON crm.users (team_id);
CREATE INDEX ON crm.users (manager_id);

INSERT INTO crm.users (user_id, login, full_name, roles, team_id, manager_id, email, hired_on, active)
SELECT user_id, login, full_name, string_to_array(roles, ' ')::crm.role[], team_id, manager_id,
       login || '@example.com', date '2014-03-01' + user_id * 53, active
FROM (VALUES
    -- the head office
    (1,  'grace',   'Grace Liu 刘晓雅',       'executive',     1,  NULL, true),
    (2,  'henry',   'Henry Baker',           'executive',     1,  1,    true),
    (3,  'xiulan',  '王秀兰 Wang Xiulan',     'executive',     1,  1,    true),
    -- finance
    (4,  'fiona',   'Fiona Müller',          'finance',       5,  1,    true),
    (5,  'jianguo', '周建国 Zhou Jianguo',    'finance',       5,  4,    true),
    (6,  'oscar',   'Oscar Lindqvist',       'finance',       5,  4,    true),
    -- sales: directors, regions, team leaders
    (7,  'david',   'David Zhang 张大卫',     'sales_manager', 2,  1,    true),
    (8,  'ingrid',  'Ingrid Hoffmann',       'sales_manager', 3,  1,    true),
    (9,  'lei',     '李雷 Li Lei',            'sales_manager', 6,  7,    true),
    (10, 'bob',     'Bob Wang 王博',          'sales_manager', 7,  7,    true),
    (11, 'karl',    'Karl Schneider',        'sales_manager', 8,  8,    true),
    (12, 'emma',    'Emma Thompson',         'sales_manager', 9,  8,    true),
    (13, 'meimei',  '韩梅梅 Han Meimei',      'sales_manager', 12, 9,    true),
    (14, 'tao',     '赵涛 Zhao Tao',          'sales_manager', 13, 9,    true),
    (15, 'yun',     '孙云 Sun Yun',           'sales_manager', 14, 10,   true),
    (16, 'jun',     '吴军 Wu Jun',            'sales_manager', 15, 10,   true),
    (17, 'petra',   'Petra Fischer',         'sales_manager', 16, 11,   true),
    (18, 'lukas',   'Lukas Weber',           'sales_manager', 17, 11,   true),
    (19, 'oliver',  'Oliver Hughes',         'sales_manager', 18, 12,   true),
    (20, 'fergus',  'Fergus MacLeod',        'sales_manager', 19, 12,   true),
    -- service
    (21, 'nadia',   'Nadia Rahman',          'service_agent', 4,  1,    true),
    (22, 'sam',     'Sam Taylor',            'service_agent', 11, 21,   true),
    (23, 'priya',   'Priya Patel',           'service_agent', 11, 22,   true),
    (24, 'tom',     'Tom O''Brien',          'service_agent', 11, 22,   true),
    (25, 'fang',    '方芳 Fang Fang',         'service_agent', 10, 21,   true),
    (26, 'wei',     '陈伟 Chen Wei',          'service_agent', 10, 25,   true),
    (27, 'jing',    '杨静 Yang Jing',         'service_agent', 10, 25,   true),
    -- sales representatives, four to a team
    (28, 'qiang',   '刘强 Liu Qiang',         'sales_rep', 12, 13, true),
    (29, 'na',      '李娜 Li Na',             'sales_rep', 12, 13, true),
    (30, 'bin',     '高斌 Gao Bin',           'sales_rep', 12, 13, true),
    (31, 'ying',    '黄颖 Huang Ying',        'sales_rep', 12, 13, true),
    (32, 'lin',     '林琳 Lin Lin',           'sales_rep', 13, 14, true),
    (33, 'gang',    '何刚 He Gang',           'sales_rep', 13, 14, true),
    (34, 'xia',     '夏霞 Xia Xia',           'sales_rep', 13, 14, true),
    (35, 'peng',    '彭鹏 Peng Peng',         'sales_rep', 13, 14, true),
    (36, 'alice',   'Alice Chen 陈爱丽',      'sales_rep', 14, 15, true),
    (37, 'hao',     '郝浩 Hao Hao',           'sales_rep', 14, 15, true),
    (38, 'chloe',   'Chloe Martin',          'sales_rep', 14, 15, true),
    (39, 'dong',    '董东 Dong Dong',         'sales_rep', 14, 15, true),
    (40, 'yan',     '严燕 Yan Yan',           'sales_rep', 15, 16, true),
    (41, 'min',     '闵敏 Min Min',           'sales_rep', 15, 16, true),
    (42, 'rong',    '荣蓉 Rong Rong',         'sales_rep', 15, 16, true),
    (43, 'chao',    '晁超 Chao Chao',         'sales_rep', 15, 16, true),
    (44, 'anna',    'Anna Becker',           'sales_rep', 16, 17, true),
    (45, 'jonas',   'Jonas Wagner',          'sales_rep', 16, 17, true),
    (46, 'mia',     'Mia Schulz',            'sales_rep', 16, 17, true),
    (47, 'felix',   'Felix Krüger',          'sales_rep', 16, 17, true),
    (48, 'lena',    'Lena Braun',            'sales_rep', 17, 18, true),
    (49, 'max',     'Max Zimmermann',        'sales_rep', 17, 18, true),
    (50, 'sophie',  'Sophie Lange',          'sales_rep', 17, 18, true),
    (51, 'paul',    'Paul Hartmann',         'sales_rep', 17, 18, true),
    (52, 'george',  'George Evans',          'sales_rep', 18, 19, true),
    (53, 'olivia',  'Olivia Clarke',         'sales_rep', 18, 19, true),
    (54, 'harry',   'Harry Walker',          'sales_rep', 18, 19, true),
    (55, 'amelia',  'Amelia Wright',         'sales_rep', 18, 19, true),
    (56, 'isla',    'Isla Stewart',          'sales_rep', 19, 20, true),
    (57, 'callum',  'Callum Campbell',       'sales_rep', 19, 20, true),
    -- somebody who sells and serves, somebody who has left
    (58, 'ewan',    'Ewan Fraser',           'sales_rep service_agent', 19, 20, true),
    (59, 'ruth',    'Ruth Morrison',         'sales_rep', 19, 20, false),
    -- somebody without a manager above them yet
    (60, 'zoe',     'Zoë Lambert',           'sales_rep', 18, NULL, true)
) AS person (user_id, login, full_name, roles, team_id, manager_id, active);
