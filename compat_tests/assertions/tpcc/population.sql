-- A small consistent population: 2 warehouses of 2 districts, with 2,103 orders in each, of which the last 3 are not delivered. Each
-- customer has paid 10.00. (The specification's is 10 districts of 3,000 orders and customers, of which 900 are not delivered.)
INSERT INTO item SELECT i, i, 'item ' || i, 1 + i % 90, '' FROM generate_series(1, 20) i;
INSERT INTO warehouse SELECT w, 'w' || w, '', '', '', 'CA', '123411111', 0.1, 2 * 30 * 10 FROM generate_series(1, 2) w;
INSERT INTO stock SELECT i, w, 50, '', 0, 0, 0, '' FROM generate_series(1, 20) i, generate_series(1, 2) w;
INSERT INTO district SELECT d, w, 'd' || d, '', '', '', 'CA', '123411111', 0.1, 30 * 10, 2104 FROM generate_series(1, 2) d, generate_series(1, 2) w;
INSERT INTO customer SELECT c, d, w, 'f' || c, 'OE', 'BAR' || c, '', '', '', 'CA', '123411111', '', '2030-01-01', 'GC', 50000, 0.1, -10, 10, 1, 0, ''
  FROM generate_series(1, 30) c, generate_series(1, 2) d, generate_series(1, 2) w;
INSERT INTO history SELECT c_id, c_d_id, c_w_id, c_d_id, c_w_id, '2030-01-01', 10, '' FROM customer;
INSERT INTO orders SELECT o, d, w, 1 + o % 30, '2030-01-01', CASE WHEN o <= 2100 THEN 1 + o % 10 END, 1 + o % 2, 1
  FROM generate_series(1, 2103) o, generate_series(1, 2) d, generate_series(1, 2) w;
INSERT INTO new_order SELECT o_id, o_d_id, o_w_id FROM orders WHERE o_carrier_id IS NULL;
INSERT INTO order_line SELECT o_id, o_d_id, o_w_id, n, 1 + (o_id + n) % 20, o_w_id, CASE WHEN o_carrier_id IS NOT NULL THEN o_entry_d END, 5,
  CASE WHEN o_carrier_id IS NULL THEN 7.50 ELSE 0 END, '' FROM orders, generate_series(1, 2) n WHERE n <= o_ol_cnt;
