-- The names and values of a hash, alternating. ARGV: key.
return redis.call('HGETALL', ARGV[1])
