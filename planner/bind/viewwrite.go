package bind

import (
	"holdfast/sql/ast"
	"holdfast/sql/catalog"
)

func (s *scope) changedView(view *catalog.Table, t *ast.TableRef, name string, op operation) *writeTarget {
	s.b.unsupported(-1, "changing view %s", quoted(view.Name))
	return nil
}

func (s *scope) insertedView(view *catalog.Table, t *ast.TableRef, name string) *writeTarget {
	s.b.unsupported(-1, "changing view %s", quoted(view.Name))
	return nil
}

func (b *binder) refuseColumn(w *writeTarget, c *writeColumn, op operation) {
	b.unsupported(-1, "changing column %s", quoted(c.name))
}
