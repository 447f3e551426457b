-- One operation on the task board. Repeated with the same token, it returns the same answer.
-- ARGV: prefix, agent, token, then 'add' and the text, or 'claim' or 'done' and the number of a task.
-- Returns {number, refusal or ''}.
local prefix, agent, token, operation, argument = unpack(ARGV)
local board = prefix .. 'board'

local function field(name, number) return redis.call('HGET', board, name .. ':' .. number) end
local function set(name, number, value) redis.call('HSET', board, name .. ':' .. number, value) end

local earlier = field('answer', token)
if earlier then
  local number, refusal = string.match(earlier, '^(%d+) (.*)$')
  return {tonumber(number), refusal}
end

local function perform()
  if operation == 'add' then
    local number = (redis.call('HGET', board, 'count') or 0) + 1
    redis.call('HSET', board, 'count', number)
    set('text', number, argument)
    set('by', number, agent)
    return number, ''
  end
  local number = argument
  if not field('text', number) then return 0, 'there is no task ' .. number end
  local owner = field('owner', number) or agent
  if field('done', number) then
    if owner == agent and operation == 'done' then return number, '' end
    return number, 'task ' .. number .. ' is done already, by ' .. owner
  end
  -- A task whose owner's work has ended can be taken over.
  if owner ~= agent and redis.call('HEXISTS', prefix .. 'farewell', owner) == 0 then
    return number, 'task ' .. number .. ' is taken by ' .. owner
  end
  set('owner', number, agent)
  if operation == 'done' then set('done', number, '1') end
  return number, ''
end

local number, refusal = perform()
set('answer', token, number .. ' ' .. refusal)
local now = redis.call('TIME')
redis.call('XADD', prefix .. 'board:log', '*', 'time', string.format('%d%06d', now[1], now[2]), 'agent_id', agent,
  'action', operation, 'number', number, 'text', field('text', number) or '', 'refused', refusal)
return {tonumber(number), refusal}
