-- New-Order: customer :c of district :d in warehouse :w orders three items. Until the last statement, the district's next number, its
-- greatest order, the order's lines and their count do not agree.
BEGIN;
UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = :w AND d_id = :d;
INSERT INTO orders SELECT d_next_o_id - 1, :d, :w, :c, now(), NULL, 3, 1 FROM district WHERE d_w_id = :w AND d_id = :d;
INSERT INTO new_order SELECT d_next_o_id - 1, :d, :w FROM district WHERE d_w_id = :w AND d_id = :d;
INSERT INTO order_line SELECT d_next_o_id - 1, :d, :w, n, i_id, :w, NULL, 2, 2 * i_price, ''
  FROM district, (VALUES (1, 1 + :c % 18), (2, 2 + :c % 18), (3, 3 + :c % 18)) x (n, item) JOIN item ON i_id = x.item WHERE d_w_id = :w AND d_id = :d;
UPDATE stock SET s_quantity = CASE WHEN s_quantity >= 12 THEN s_quantity - 2 ELSE s_quantity + 89 END, s_ytd = s_ytd + 2, s_order_cnt = s_order_cnt + 1
  WHERE s_w_id = :w AND s_i_id BETWEEN 1 + :c % 18 AND 3 + :c % 18;
COMMIT;
