package catalog

// StatsResetter is a session that can set the counters that views show to 0.
type StatsResetter interface{ ResetStats() }

func init() {
	registerFunc("pg_stat_reset", func(c *call) (datum, error) {
		if s, ok := c.ctx.Session.(StatsResetter); ok {
			s.ResetStats()
		}
		return text(""), nil
	}, 2274)
}
