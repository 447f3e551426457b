-- Send one message, or return its earlier outcome: each id has exactly one, however often this is repeated.
-- ARGV: prefix, sender, recipient, id, text, reply_to or '', '1' for a question, fate ('deliver', 'lose'), refusal or ''.
-- Returns {sequence, microseconds since 1970 UTC, refusal or ''}.
local prefix, sender, recipient, id, text, reply_to, question, fate, refusal = unpack(ARGV)
local sent = prefix .. 'own:' .. sender .. ':sent'

local earlier = redis.call('HGET', sent, id)
if earlier then
  local sequence, time, reason = string.match(earlier, '^(%d+) (%d+) (.*)$')
  return {tonumber(sequence), time, reason}
end

if refusal == '' then
  -- Written by the harness when a member's work has ended.
  refusal = redis.call('HGET', prefix .. 'farewell', recipient) or ''
end

local sequence = redis.call('INCR', prefix .. 'clock')
local now = redis.call('TIME')
local time = string.format('%d%06d', now[1], now[2])
local stream
if refusal ~= '' then
  stream = prefix .. 'refused:' .. sender
elseif fate == 'lose' then
  stream = prefix .. 'lost:' .. sender
else
  -- The first message to a teammate whose question was read is the answer to it.
  local questions = prefix .. 'own:' .. sender .. ':questions'
  if reply_to == '' then reply_to = redis.call('HGET', questions, recipient) or '' end
  if reply_to ~= '' then redis.call('HDEL', questions, recipient) end
  stream = prefix .. 'mail:' .. sender .. ':' .. recipient
end
redis.call('XADD', stream, '*', 'sequence', sequence, 'time', time, 'id', id, 'to', recipient, 'reply_to', reply_to,
  'question', question, 'refused', refusal, 'text', text)
redis.call('HSET', sent, id, sequence .. ' ' .. time .. ' ' .. refusal)
return {sequence, time, refusal}
