-- Ways to drop a table.
DROP TABLE orders
drop table if exists orders, customers cascade
SELECT 1; DROP TABLE orders
/* harmless */ DROP /* really */ TABLE orders
DROP SCHEMA public CASCADE
ALTER TABLE orders DROP COLUMN total
TRUNCATE orders
