-- Give back messages that were taken and not handled, for the next reader.
-- ARGV: prefix, reader, '+' or '-', number of tokens, tokens, sequences.
-- '+' gives back these sequences of these tokens; '-' gives back all of these tokens except these sequences.
-- Returns how many were given back.
local prefix, reader, sign, count = unpack(ARGV)
local own = prefix .. 'own:' .. reader .. ':'
local tokens, sequences, released = {}, {}, 0
for i = 5, 4 + tonumber(count) do tokens[ARGV[i]] = true end
for i = 5 + tonumber(count), #ARGV do sequences[ARGV[i]] = true end
local places = redis.call('HGETALL', own .. 'inflight')
for i = 1, #places, 2 do
  local sequence = places[i]
  local token, place = string.match(places[i + 1], '^(%S+) (.*)$')
  if tokens[token] and (sequences[sequence] or false) == (sign == '+') then
    redis.call('HSET', own .. 'returned', sequence, place)
    redis.call('HDEL', own .. 'inflight', sequence)
    released = released + 1
  end
end
-- Wake readers that are waiting.
if released > 0 then redis.call('XADD', own .. 'poke', 'MAXLEN', 1, '*', 'x', 1) end
return released
