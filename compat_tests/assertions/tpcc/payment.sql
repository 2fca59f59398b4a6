-- Payment: customer :c of district :d in warehouse :w pays 12.34. Warehouse, district, customer and history agree at the end only.
BEGIN;
UPDATE warehouse SET w_ytd = w_ytd + 12.34 WHERE w_id = :w;
UPDATE district SET d_ytd = d_ytd + 12.34 WHERE d_w_id = :w AND d_id = :d;
UPDATE customer SET c_balance = c_balance - 12.34, c_ytd_payment = c_ytd_payment + 12.34, c_payment_cnt = c_payment_cnt + 1
  WHERE c_w_id = :w AND c_d_id = :d AND c_id = :c;
INSERT INTO history VALUES (:c, :d, :w, :d, :w, now(), 12.34, 'paid');
COMMIT;
