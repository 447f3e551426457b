-- Record that a member's work has ended, and announce it to every teammate that is still at work: once, however often repeated.
-- ARGV: prefix, member, state (JSON), farewell, id, then the teammates. Returns 1, or 0 when it was recorded before.
local prefix, member, state, farewell, id = unpack(ARGV)
if redis.call('HSETNX', prefix .. 'farewell', member, farewell) == 0 then return 0 end
redis.call('HSET', prefix .. 'state', member, state)
for i = 6, #ARGV do
  local teammate = ARGV[i]
  if redis.call('HEXISTS', prefix .. 'farewell', teammate) == 0 then
    local sequence = redis.call('INCR', prefix .. 'clock')
    local now = redis.call('TIME')
    redis.call('XADD', prefix .. 'mail:harness:' .. teammate, '*', 'sequence', sequence,
      'time', string.format('%d%06d', now[1], now[2]), 'id', id .. '-' .. teammate, 'to', teammate, 'reply_to', '',
      'question', '0', 'refused', '', 'text', farewell)
  end
end
return 1
