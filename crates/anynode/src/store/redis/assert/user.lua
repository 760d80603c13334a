#!lua flags=allow-oom
-- Writes the entry of a user again, unless it or a later one is there, and tells of it only
-- then. Either way something is written, for WAIT to wait for.
-- keys: users, guard, proof; args: user, epoch, spared handle or '', its lowest stamp, name of
-- its event
local function packed(number)
  return struct.pack('>I8', number)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = now + 400 * 24 * 60 * 60 * 1000
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old or struct.unpack('>I8', old) < tonumber(ARGV[2]) then
  local entry = packed(tonumber(ARGV[2])) .. packed(kept)
  if ARGV[3] ~= '' then
    entry = entry .. ARGV[3] .. packed(tonumber(ARGV[4]))
  end
  redis.call('HSET', KEYS[1], ARGV[1], entry)
  if redis.call('PEXPIRETIME', KEYS[1]) < kept then
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', kept))
  end
  redis.call('SET', ARGV[5], '')
  redis.call('DEL', ARGV[5])
else
  redis.call('SET', KEYS[3], '')
  redis.call('DEL', KEYS[3])
end
return 1
