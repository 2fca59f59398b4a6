-- The nine tables of TPC-C, with keys, and the indexes that its transactions and the rules probe.
CREATE TABLE warehouse (w_id int PRIMARY KEY, w_name text, w_street_1 text, w_street_2 text, w_city text, w_state text, w_zip text,
  w_tax numeric(4,4), w_ytd numeric(12,2) NOT NULL);
CREATE TABLE district (d_id int, d_w_id int REFERENCES warehouse, d_name text, d_street_1 text, d_street_2 text, d_city text, d_state text, d_zip text,
  d_tax numeric(4,4), d_ytd numeric(12,2) NOT NULL, d_next_o_id int NOT NULL, PRIMARY KEY (d_w_id, d_id));
CREATE TABLE customer (c_id int, c_d_id int, c_w_id int, c_first text, c_middle text, c_last text, c_street_1 text, c_street_2 text, c_city text,
  c_state text, c_zip text, c_phone text, c_since timestamptz, c_credit text, c_credit_lim numeric(12,2), c_discount numeric(4,4),
  c_balance numeric(12,2) NOT NULL, c_ytd_payment numeric(12,2) NOT NULL, c_payment_cnt int, c_delivery_cnt int, c_data text,
  PRIMARY KEY (c_w_id, c_d_id, c_id), FOREIGN KEY (c_w_id, c_d_id) REFERENCES district (d_w_id, d_id));
CREATE TABLE history (h_c_id int, h_c_d_id int, h_c_w_id int, h_d_id int, h_w_id int, h_date timestamptz, h_amount numeric(6,2) NOT NULL, h_data text,
  FOREIGN KEY (h_c_w_id, h_c_d_id, h_c_id) REFERENCES customer (c_w_id, c_d_id, c_id),
  FOREIGN KEY (h_w_id, h_d_id) REFERENCES district (d_w_id, d_id));
CREATE TABLE orders (o_id int, o_d_id int, o_w_id int, o_c_id int NOT NULL, o_entry_d timestamptz, o_carrier_id int, o_ol_cnt int NOT NULL, o_all_local int,
  PRIMARY KEY (o_w_id, o_d_id, o_id), FOREIGN KEY (o_w_id, o_d_id, o_c_id) REFERENCES customer (c_w_id, c_d_id, c_id));
CREATE TABLE new_order (no_o_id int, no_d_id int, no_w_id int,
  PRIMARY KEY (no_w_id, no_d_id, no_o_id), FOREIGN KEY (no_w_id, no_d_id, no_o_id) REFERENCES orders (o_w_id, o_d_id, o_id));
CREATE TABLE item (i_id int PRIMARY KEY, i_im_id int, i_name text, i_price numeric(5,2) NOT NULL, i_data text);
CREATE TABLE stock (s_i_id int REFERENCES item, s_w_id int REFERENCES warehouse, s_quantity int NOT NULL, s_dist_01 text, s_ytd int NOT NULL,
  s_order_cnt int NOT NULL, s_remote_cnt int NOT NULL, s_data text, PRIMARY KEY (s_w_id, s_i_id));
CREATE TABLE order_line (ol_o_id int, ol_d_id int, ol_w_id int, ol_number int, ol_i_id int, ol_supply_w_id int, ol_delivery_d timestamptz,
  ol_quantity int, ol_amount numeric(6,2) NOT NULL, ol_dist_info text,
  PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number), FOREIGN KEY (ol_w_id, ol_d_id, ol_o_id) REFERENCES orders (o_w_id, o_d_id, o_id),
  FOREIGN KEY (ol_supply_w_id, ol_i_id) REFERENCES stock (s_w_id, s_i_id));
CREATE INDEX orders_customer ON orders (o_w_id, o_d_id, o_c_id, o_id);
CREATE INDEX customer_name ON customer (c_w_id, c_d_id, c_last, c_first);
CREATE INDEX history_district ON history (h_w_id, h_d_id);
CREATE INDEX history_customer ON history (h_c_w_id, h_c_d_id, h_c_id);
