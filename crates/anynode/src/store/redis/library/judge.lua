#!lua name=anynode_1
-- The functions of anynode's Redis store: every rule that has to hold at the moment of a write.
--
-- They do what anynode-core decides (store/rules.rs, session/expiry.rs, session/user.rs); the
-- contract suite holds both to the same laws. The name of the library and of each function
-- carries its number, so that two releases with different functions serve one store together:
-- whoever changes what is written here gives them the next number.
--
-- Numbers are exact up to 2^53: milliseconds, and microseconds until the year 2255.

local FORMAT = 1
local HOUR = 60 * 60 * 1000

-- The code of the cause "all sessions of its user were revoked" (session/cause.rs).
local CAUSE_EPOCH = 7
local ABSOLUTE_MAX = 400 * 24 * HOUR

-- How long a call may be on its way and still be known for one that was performed: longer than
-- TCP tries to deliver what was sent on a connection that was given up.
local ONCE = 20 * 60 * 1000

-- The longest head: 53 bytes and a user of 255. Reading only this spares the payload.
local HEAD_BYTES_MAX = 53 + 255

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function clock_micros()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function whole(number)
  return string.format('%.0f', number)
end

local function number_at(bytes, at)
  return (struct.unpack('>I8', bytes, at))
end

local function packed(number)
  return struct.pack('>I8', number)
end

-- Keeps a key at least until then, and none for ever.
local function outlive(key, at)
  if redis.call('PEXPIRETIME', key) < at then
    redis.call('PEXPIREAT', key, whole(at))
  end
end

-- Tells every node that watches: the name is the message, and nothing stays.
local function tell(name)
  redis.call('SET', name, '', 'PX', 1000)
  redis.call('DEL', name)
end

local LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

-- The text of a handle: 16 bytes as 22 characters of base64url.
local function text_of(handle)
  local letters, held, bits = {}, 0, 0
  for at = 1, #handle do
    held, bits = held * 256 + string.byte(handle, at), bits + 8
    while bits >= 6 do
      bits = bits - 6
      local letter = math.floor(held / 2 ^ bits)
      held = held - letter * 2 ^ bits
      letters[#letters + 1] = string.sub(LETTERS, letter + 1, letter + 1)
    end
  end
  local letter = held * 2 ^ (6 - bits)
  letters[#letters + 1] = string.sub(LETTERS, letter + 1, letter + 1)
  return table.concat(letters)
end

-- What the functions judge a record by. nil where there is none, false where it cannot be read.
local function head_of(bytes)
  if not bytes or bytes == '' then
    return nil
  end
  if string.byte(bytes, 1) ~= FORMAT or #bytes < 53 then
    return false
  end
  return {
    version = string.sub(bytes, 2, 17),
    idle_timeout = number_at(bytes, 18),
    deadline = number_at(bytes, 26),
    stamp = number_at(bytes, 42),
    tag = string.sub(bytes, 50, 52),
    user = string.sub(bytes, 54, 53 + string.byte(bytes, 53)),
  }
end

local function read_head(key)
  return head_of(redis.call('GETRANGE', key, 0, HEAD_BYTES_MAX - 1))
end

-- The idle deadline. A session that lost its own is dead: the safe side.
local function idle_of(key, handle)
  return tonumber(redis.call('ZSCORE', key, handle) or '0')
end

-- The entry of a user: epoch, until when it is kept, and perhaps the spared handle and its
-- lowest stamp, 8 + 8 + 16 + 8 bytes.
local function read_entry(prefix, tag, user)
  return redis.call('HGET', prefix .. ':u:{' .. tag .. '}', user) or ''
end

local function epoch_of(entry)
  return entry == '' and 0 or number_at(entry, 1)
end

local function admits(entry, handle, stamp)
  if stamp == epoch_of(entry) then
    return true
  end
  return #entry == 40 and string.sub(entry, 17, 32) == handle and stamp >= number_at(entry, 33)
end

-- An entry outlives every session that bears its epoch: without it the stamp would be wrong.
local function keep_entry(key, user, entry, deadline)
  if entry ~= '' and number_at(entry, 9) < deadline then
    local kept = string.sub(entry, 1, 8) .. packed(deadline) .. string.sub(entry, 17)
    redis.call('HSET', key, user, kept)
    outlive(key, deadline)
  end
end

-- The index of a user has each session with a deadline of its own, by which a member is known
-- to be stale though its record is gone. An hour more, because the clocks of two primaries
-- differ, and no live session may leave the list.
local function unlist(key, handle)
  local all = string.rep('\255', 8)
  redis.call('ZREMRANGEBYLEX', key, '[' .. handle, '[' .. handle .. all)
end

local function enlist(key, handle, deadline, now)
  unlist(key, handle)
  -- A few others, by chance, so that what nobody lists does not grow for ever.
  for _, member in ipairs(redis.call('ZRANDMEMBER', key, 4)) do
    if number_at(member, 17) <= now then
      redis.call('ZREM', key, member)
    end
  end
  redis.call('ZADD', key, 0, handle .. packed(deadline + HOUR))
  outlive(key, deadline + HOUR)
end

local function sessions_key(prefix, tag, user)
  return prefix .. ':l:{' .. tag .. '}:' .. user
end
