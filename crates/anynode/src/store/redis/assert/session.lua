#!lua flags=allow-oom
-- Writes the tombstone of a session again, unless it is there, and tells of it only then. Either
-- way something is written, for WAIT to wait for.
-- keys: record, idle, dead, guard, proof; args: handle, cause, end or 0, name of its event
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cause, ends, known = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
local stone = redis.call('ZSCORE', KEYS[3], ARGV[1])
if stone then
  known = math.floor(tonumber(stone) / 16)
  cause = tonumber(stone) - known * 16
end
-- A record that came back is dead until its own deadline, which is when its key expires.
local record = redis.call('PEXPIRETIME', KEYS[1])
ends = math.max(ends, known, record)
if ends <= 0 then
  ends = now + 60 * 60 * 1000
end
if ends > now and (known < ends or record ~= -2) then
  redis.call('ZADD', KEYS[3], string.format('%.0f', ends * 16 + cause), ARGV[1])
  if redis.call('PEXPIRETIME', KEYS[3]) < ends then
    redis.call('PEXPIREAT', KEYS[3], string.format('%.0f', ends))
  end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  local name = ARGV[4] .. cause .. ':' .. string.format('%.0f', ends)
  redis.call('SET', name, '')
  redis.call('DEL', name)
else
  redis.call('SET', KEYS[5], '')
  redis.call('DEL', KEYS[5])
end
return { cause, ends }
