#!lua flags=allow-oom
-- Writes the entry of a user again, merged with the one that is there: a session is good if it
-- is by both. Tells of it only if that changes anything; either way something is written, for
-- WAIT to wait for.
-- keys: users, guard, proof; args: user, epoch, spared handle or '', its lowest stamp, name of
-- its event
local function packed(number)
  return struct.pack('>I8', number)
end
local function unpacked(text, at)
  return (struct.unpack('>I8', text, at))
end
-- The lowest stamp that a session with this handle may bear.
local function least(entry, handle)
  if entry.spared == handle then
    return entry.from
  end
  return entry.epoch
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = now + 400 * 24 * 60 * 60 * 1000
local told = { epoch = tonumber(ARGV[2]), spared = ARGV[3], from = tonumber(ARGV[4]) }
local merged, changes = told, true
local text = redis.call('HGET', KEYS[1], ARGV[1])
if text then
  local old = { epoch = unpacked(text, 1), spared = string.sub(text, 17, 32) }
  if old.spared ~= '' then
    old.from = unpacked(text, 33)
  end
  local earlier = old
  if told.epoch <= old.epoch then
    earlier, merged, changes = told, old, false
    kept = unpacked(text, 9)
  end
  if merged.spared ~= '' then
    local from = math.max(merged.from, least(earlier, merged.spared))
    changes = changes or from > merged.from
    merged.from = from
  end
end
if changes then
  local entry = packed(merged.epoch) .. packed(kept)
  if merged.spared ~= '' then
    entry = entry .. merged.spared .. packed(merged.from)
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
