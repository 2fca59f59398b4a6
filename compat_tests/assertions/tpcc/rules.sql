-- Each warehouse has taken in what its districts have taken in together.
CREATE ASSERTION tpcc_01 CHECK (NOT EXISTS (
  SELECT w_id, w_ytd FROM warehouse
  WHERE w_ytd <> (SELECT coalesce(sum(d_ytd), 0) FROM district WHERE d_w_id = w_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- The number before a district's next one is the greatest among its orders, and among its new orders too, if it has any. (Said without
-- max(), so that a check is a probe for one number and not a scan of all orders of the district.)
CREATE ASSERTION tpcc_02 CHECK (
  NOT EXISTS (SELECT d_w_id, d_id, d_next_o_id, o_id FROM district JOIN orders ON o_w_id = d_w_id AND o_d_id = d_id WHERE o_id >= d_next_o_id) AND
  NOT EXISTS (SELECT d_w_id, d_id, d_next_o_id FROM district
    WHERE NOT EXISTS (SELECT FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id AND o_id = d_next_o_id - 1)) AND
  NOT EXISTS (SELECT d_w_id, d_id, d_next_o_id FROM district
    WHERE EXISTS (SELECT FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id)
      AND NOT EXISTS (SELECT FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id AND no_o_id = d_next_o_id - 1)))
  DEFERRABLE INITIALLY DEFERRED;

-- The numbers of a district's new orders have no gaps. New orders come at the one end and go at the other, so this holds after each statement.
CREATE ASSERTION tpcc_03 CHECK (NOT EXISTS (
  SELECT no_w_id, no_d_id FROM new_order GROUP BY no_w_id, no_d_id
  HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)));

-- A district has as many order lines as its orders say.
CREATE ASSERTION tpcc_04 CHECK (NOT EXISTS (
  SELECT d_w_id, d_id FROM district
  WHERE (SELECT coalesce(sum(o_ol_cnt), 0) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id)
     <> (SELECT count(*) FROM order_line WHERE ol_w_id = d_w_id AND ol_d_id = d_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- An order has no carrier as long as it is a new order, and only as long.
CREATE ASSERTION tpcc_05 CHECK (
  NOT EXISTS (SELECT o_w_id, o_d_id, o_id, o_carrier_id FROM orders WHERE o_carrier_id IS NULL
    AND NOT EXISTS (SELECT FROM new_order WHERE no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id)) AND
  NOT EXISTS (SELECT o_w_id, o_d_id, o_id, o_carrier_id FROM orders
    JOIN new_order ON no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id WHERE o_carrier_id IS NOT NULL))
  DEFERRABLE INITIALLY DEFERRED;

-- An order has as many lines as it says.
CREATE ASSERTION tpcc_06 CHECK (NOT EXISTS (
  SELECT o_w_id, o_d_id, o_id, o_ol_cnt FROM orders
  WHERE o_ol_cnt <> (SELECT count(*) FROM order_line WHERE ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- A line has no date of delivery as long as its order has no carrier, and only as long.
CREATE ASSERTION tpcc_07 CHECK (NOT EXISTS (
  SELECT o_w_id, o_d_id, o_id, ol_number FROM orders
  JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
  WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)))
  DEFERRABLE INITIALLY DEFERRED;

-- A warehouse has taken in what the history of payments says.
CREATE ASSERTION tpcc_08 CHECK (NOT EXISTS (
  SELECT w_id, w_ytd FROM warehouse
  WHERE w_ytd <> (SELECT coalesce(sum(h_amount), 0) FROM history WHERE h_w_id = w_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- A district has taken in what the history of payments says.
CREATE ASSERTION tpcc_09 CHECK (NOT EXISTS (
  SELECT d_w_id, d_id, d_ytd FROM district
  WHERE d_ytd <> (SELECT coalesce(sum(h_amount), 0) FROM history WHERE h_w_id = d_w_id AND h_d_id = d_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- A customer owes what has been delivered to him, less what he has paid.
CREATE ASSERTION tpcc_10 CHECK (NOT EXISTS (
  SELECT c_w_id, c_d_id, c_id, c_balance FROM customer
  WHERE c_balance <>
    (SELECT coalesce(sum(ol_amount), 0) FROM orders JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
     WHERE o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id AND ol_delivery_d IS NOT NULL)
    - (SELECT coalesce(sum(h_amount), 0) FROM history WHERE h_c_w_id = c_w_id AND h_c_d_id = c_d_id AND h_c_id = c_id)))
  DEFERRABLE INITIALLY DEFERRED;

-- Each district has 2,100 more orders than new orders. So the specification describes what is loaded: each delivery makes it one more,
-- and as a rule for ever it is a lower bound.
CREATE ASSERTION tpcc_11 CHECK (NOT EXISTS (
  SELECT d_w_id, d_id FROM district
  WHERE (SELECT count(*) FROM orders WHERE o_w_id = d_w_id AND o_d_id = d_id)
      - (SELECT count(*) FROM new_order WHERE no_w_id = d_w_id AND no_d_id = d_id) < 2100))
  DEFERRABLE INITIALLY DEFERRED;

-- What a customer owes and what he has paid make up what has been delivered to him.
CREATE ASSERTION tpcc_12 CHECK (NOT EXISTS (
  SELECT c_w_id, c_d_id, c_id, c_balance, c_ytd_payment FROM customer
  WHERE c_balance + c_ytd_payment <>
    (SELECT coalesce(sum(ol_amount), 0) FROM orders JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id
     WHERE o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id AND ol_delivery_d IS NOT NULL)))
  DEFERRABLE INITIALLY DEFERRED;
