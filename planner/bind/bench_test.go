package bind

import (
	"context"
	"testing"

	"holdfast/sql/parse"
)

// BenchmarkBind measures binding alone, of the statements that clients send most.
func BenchmarkBind(b *testing.B) {
	s := newSchema(b)
	if err := s.exec("create table t (a int primary key, b text, c numeric(10,2)); create table u (a int, d bigint)"); err != nil {
		b.Fatal(err)
	}
	for name, sql := range map[string]string{
		"point":  "select a, b, c from t where a = $1",
		"insert": "insert into t (a, b, c) values ($1, $2, $3)",
		"update": "update t set b = $1 where a = $2",
		"join":   "select t.b, sum(u.d) from t join u on u.a = t.a where t.c > 10 group by t.b order by 2 desc limit 10",
	} {
		list, err := parse.Parse(sql)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Bind(context.Background(), s.options(list[0].Text), list[0].Stmt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
