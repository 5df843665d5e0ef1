create table if not exists orders (number bigint primary key, customer text not null, cents bigint not null);
-- No key keeps a second invoice away: the unit of work does.
create table if not exists invoices (number bigint not null, cents bigint not null);
create table if not exists closed_months (month text primary key);
