-- Entries of a stream. ARGV: key, start, most entries.
return redis.call('XRANGE', ARGV[1], ARGV[2], '+', 'COUNT', ARGV[3])
