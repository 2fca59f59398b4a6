// Package views proves what docs/views.md promises of writes through join views.
//
// A slow reference (model.go, evaluate.go, push.go) knows tables as lists of rows and a view as the rows that
// nested loops over them find, each with the base rows it was made of. It carries out a write by changing such
// view rows one by one and pushing the changes down to the base rows they were made of, looks at the view again,
// and says which rows there must be then, or why the write must fail. It knows nothing of plans, keys of storage
// or SQL, and shares no code with the server.
//
// TestWrites compares it with the server over random tables, keys, views and statements (shape.go); TestHistories
// searches it for a serial order that explains what concurrent clients were told. The rest are stories and
// scripts with a plot.
package views
