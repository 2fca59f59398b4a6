-- Delivery: the oldest new order of district :d in warehouse :w gets its carrier, its lines their date, and the customer the bill.
BEGIN;
UPDATE orders SET o_carrier_id = 7
  WHERE o_w_id = :w AND o_d_id = :d AND o_id = (SELECT min(no_o_id) FROM new_order WHERE no_w_id = :w AND no_d_id = :d);
UPDATE order_line SET ol_delivery_d = now()
  WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id = (SELECT min(no_o_id) FROM new_order WHERE no_w_id = :w AND no_d_id = :d);
UPDATE customer SET c_delivery_cnt = c_delivery_cnt + 1, c_balance = c_balance + (
    SELECT sum(ol_amount) FROM order_line WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id = (SELECT min(no_o_id) FROM new_order WHERE no_w_id = :w AND no_d_id = :d))
  WHERE c_w_id = :w AND c_d_id = :d AND c_id = (
    SELECT o_c_id FROM orders WHERE o_w_id = :w AND o_d_id = :d AND o_id = (SELECT min(no_o_id) FROM new_order WHERE no_w_id = :w AND no_d_id = :d));
DELETE FROM new_order
  WHERE no_w_id = :w AND no_d_id = :d AND no_o_id = (SELECT min(no_o_id) FROM new_order WHERE no_w_id = :w AND no_d_id = :d);
COMMIT;
