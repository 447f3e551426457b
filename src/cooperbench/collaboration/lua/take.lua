-- Give messages to a reader in the broker's order, each to one reader only.
-- ARGV: prefix, reader, token, most messages, most bytes, answer or '', 'take' or 'look', then the senders to read from.
-- With an answer (the id of a question), give only the message that replies to it, even before its turn.
-- A message that was given is in flight under the reader's token until acknowledged or released.
-- Returns {messages, tails}: a message is {sender, entry id, fields}; a tail is the last entry id of a stream, one for each
-- sender, then those of the harness's notices and of the pokes that wake readers.
local prefix, reader, token, most_messages, most_bytes, answer, mode = unpack(ARGV)
most_messages, most_bytes = tonumber(most_messages), tonumber(most_bytes)
local own = prefix .. 'own:' .. reader .. ':'
local senders, heads, tails, result, size = {}, {}, {}, {}, 0

local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end

local function stream(sender) return prefix .. 'mail:' .. sender .. ':' .. reader end

local function hand_out(sender, entry)
  local sequence = field(entry, 'sequence')
  table.insert(result, {sender, entry[1], entry[2]})
  size = size + #field(entry, 'text')
  if mode == 'look' then return end
  local now = redis.call('TIME')
  redis.call('HSETNX', own .. 'read', sequence, string.format('%d%06d', now[1], now[2]))
  redis.call('HSET', own .. 'inflight', sequence, token .. ' ' .. sender .. ' ' .. entry[1])
  if field(entry, 'question') == '1' then
    redis.call('HSET', own .. 'questions', sender, field(entry, 'id'))
  end
end

local function full() return #result >= most_messages or (#result > 0 and size >= most_bytes) end

local function note_tail(key)
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  table.insert(tails, last and last[1] or '0-0')
end

for i = 8, #ARGV do
  table.insert(senders, ARGV[i])
  note_tail(stream(ARGV[i]))
end
note_tail(stream('harness'))
note_tail(own .. 'poke')

-- First the messages that an earlier reader gave back.
local returned = {}
local places = redis.call('HGETALL', own .. 'returned')
for i = 1, #places, 2 do
  local sender, entry_id = string.match(places[i + 1], '^(%S+) (%S+)$')
  table.insert(returned, {tonumber(places[i]), sender, entry_id})
end
table.sort(returned, function(a, b) return a[1] < b[1] end)
for _, place in ipairs(returned) do
  for _, sender in ipairs(senders) do
    if sender == place[2] and not full() then
      local entry = redis.call('XRANGE', stream(sender), place[3], place[3])[1]
      if answer == '' or field(entry, 'reply_to') == answer then
        hand_out(sender, entry)
        if mode == 'take' then redis.call('HDEL', own .. 'returned', place[1]) end
      end
    end
  end
end

local function next_after(sender, entry_id)
  return redis.call('XRANGE', stream(sender), '(' .. entry_id, '+', 'COUNT', 1)[1]
end

local function taken(sender) return redis.call('HGET', own .. 'taken', sender) or '0-0' end

if answer ~= '' then
  for _, sender in ipairs(senders) do
    local entry = next_after(sender, taken(sender))
    while entry and #result == 0 do
      local sequence = field(entry, 'sequence')
      if field(entry, 'reply_to') == answer and redis.call('SISMEMBER', own .. 'early', sequence) == 0 then
        hand_out(sender, entry)
        redis.call('SADD', own .. 'early', sequence)
      end
      entry = next_after(sender, entry[1])
    end
  end
  return {result, tails}
end

-- Then the streams, merged by sequence. One entry at a time: they may be large.
for _, sender in ipairs(senders) do heads[sender] = next_after(sender, taken(sender)) or nil end
while not full() do
  local first, lowest
  for sender, entry in pairs(heads) do
    local sequence = tonumber(field(entry, 'sequence'))
    if not lowest or sequence < lowest then first, lowest = sender, sequence end
  end
  if not first then break end
  local entry = heads[first]
  if redis.call('SISMEMBER', own .. 'early', lowest) == 0 then hand_out(first, entry) end
  if mode == 'take' then
    redis.call('SREM', own .. 'early', lowest)
    redis.call('HSET', own .. 'taken', first, entry[1])
  end
  heads[first] = next_after(first, entry[1]) or nil
end
return {result, tails}
