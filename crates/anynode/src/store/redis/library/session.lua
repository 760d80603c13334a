
-- load: the record with what is beside it. The node judges whether it is alive.
--
-- Not flagged `no-writes`, though it writes nothing: a replica answers READONLY and a primary
-- that lost its replicas NOREPLICAS, so that only an authoritative primary answers.
-- keys: record, idle; args: prefix, handle, 'alone' where the user's entry is here as well
local function load(keys, args)
  local record = redis.call('GET', keys[1])
  if not record then
    return { 'none' }
  end
  local entry = ''
  if args[3] == 'alone' then
    local head = head_of(record)
    if head and head.user ~= '' then
      entry = read_entry(args[1], head.tag, head.user)
    end
  end
  return { 'record', clock(), whole(idle_of(keys[2], args[2])), record, entry }
end

-- What a write brings. args: prefix, handle, version, idle timeout, deadline, tag, user, body,
-- stamp ('' where the user's entry is here as well, 'keep', or a number), base version, 'again'
-- where an earlier try may have been performed.
local function write_of(args)
  return {
    prefix = args[1],
    handle = args[2],
    version = args[3],
    idle_timeout = args[4],
    deadline = args[5],
    tag = args[6],
    user = args[7],
    body = args[8],
    stamp = args[9],
    base = args[10],
    again = args[11] == 'again',
  }
end

local function settled(write, now)
  local millis = tonumber(string.sub(write.deadline, 2))
  if string.sub(write.deadline, 1, 1) == 'r' then
    millis = now + millis
  end
  return math.min(millis, now + ABSOLUTE_MAX)
end

local function put(keys, write, now, deadline, stamp)
  if deadline <= now then
    redis.call('DEL', keys[1])
    redis.call('ZREM', keys[2], write.handle)
    return
  end
  local record = string.char(FORMAT) .. write.version .. write.idle_timeout .. packed(deadline)
    .. packed(now) .. packed(stamp) .. write.tag .. string.char(#write.user) .. write.user
    .. write.body
  redis.call('SET', keys[1], record, 'PXAT', whole(deadline))
  local idle = math.min(now + number_at(write.idle_timeout, 1), deadline)
  redis.call('ZADD', keys[2], whole(idle), write.handle)
  outlive(keys[2], deadline)
end

-- A record as load answers it, with another first word.
local function answer(word, keys, handle, now, idle, entry)
  return { word, now, whole(idle), redis.call('GET', keys[1]), entry }
end

-- The stamp and entry of a new binding, and the index that lists it, where all is here.
local function bind(write, now, deadline)
  if write.user == '' then
    return 0, ''
  end
  local entry = read_entry(write.prefix, write.tag, write.user)
  enlist(sessions_key(write.prefix, write.tag, write.user), write.handle, deadline, now)
  keep_entry(write.prefix .. ':u:{' .. write.tag .. '}', write.user, entry, deadline)
  return epoch_of(entry), entry
end

-- keys: record, idle, dead, guard; args: see write_of
local function create(keys, args)
  local write, now = write_of(args), clock()
  local head = read_head(keys[1])
  if head and write.again and head.version == write.version then
    local entry = write.stamp == '' and head.user ~= ''
      and read_entry(write.prefix, head.tag, head.user) or ''
    return answer('mine', keys, write.handle, now, idle_of(keys[2], write.handle), entry)
  end
  if head ~= nil then
    return { 'taken' }
  end
  local stone = redis.call('ZSCORE', keys[3], write.handle)
  if stone and math.floor(tonumber(stone) / 16) > now then
    return { 'taken' }
  end
  local deadline, stamp, entry = settled(write, now), tonumber(write.stamp), ''
  if write.stamp == '' then
    stamp, entry = bind(write, now, deadline)
  end
  put(keys, write, now, deadline, stamp)
  return { 'ok', now, whole(stamp), entry }
end

-- keys: record, idle, dead, guard; args: see write_of
local function replace(keys, args)
  local write, now = write_of(args), clock()
  local head, idle = read_head(keys[1]), idle_of(keys[2], write.handle)
  if head == false then
    return { 'unreadable' }
  end
  if head == nil or head.deadline <= now or idle <= now then
    return { 'gone' }
  end
  local alone, entry = write.stamp == '', ''
  if alone and head.user ~= '' then
    entry = read_entry(write.prefix, head.tag, head.user)
    if not admits(entry, write.handle, head.stamp) then
      return { 'gone' }
    end
  end
  if head.version ~= write.base then
    local mine = write.again and head.version == write.version
    return answer(mine and 'mine' or 'conflict', keys, write.handle, now, idle, entry)
  end
  local deadline = settled(write, now)
  local moved = head.user ~= write.user
  local relisted = moved or (write.user ~= '' and head.deadline ~= deadline)
  if write.stamp == 'keep' and relisted then
    return answer('bind', keys, write.handle, now, idle, '')
  end
  local stamp = write.stamp == 'keep' and head.stamp or tonumber(write.stamp)
  if alone and relisted then
    if head.user ~= '' then
      unlist(sessions_key(write.prefix, head.tag, head.user), write.handle)
    end
    stamp, entry = bind(write, now, deadline)
  elseif alone then
    -- Judging the old stamp and giving the new one by the same entry is what makes re-stamping
    -- safe: a revocation between the two would be undone by it.
    stamp = epoch_of(entry)
  end
  put(keys, write, now, deadline, stamp)
  return { 'ok', now, whole(stamp), entry }
end

-- Moves idle deadlines forward. A revoked user's session is moved as well, and stays dead.
-- keys: idle, guard; args: prefix, bucket, then handle and age for each
local function touch(keys, args)
  local now = clock()
  for at = 3, #args, 2 do
    local handle, age = args[at], tonumber(args[at + 1])
    local idle = idle_of(keys[1], handle)
    local head = idle > now
      and read_head(args[1] .. ':k:s:{' .. args[2] .. '}:' .. text_of(handle))
    if head and head.deadline > now then
      local later = math.min(now - age + head.idle_timeout, head.deadline)
      if later > idle then
        redis.call('ZADD', keys[1], 'XX', whole(later), handle)
      end
    end
  end
  return 'ok'
end

-- Puts a tombstone in the place of whatever is under the handle. One that lies there keeps its
-- cause.
local function bury(keys, handle, cause, until_ms, now)
  local stone = redis.call('ZSCORE', keys[3], handle)
  if stone then
    local before = math.floor(tonumber(stone) / 16)
    cause, until_ms = tonumber(stone) - before * 16, math.max(before, until_ms)
  end
  if until_ms > now then
    redis.call('ZADD', keys[3], whole(until_ms * 16 + cause), handle)
    outlive(keys[3], until_ms)
  end
  redis.call('DEL', keys[1])
  redis.call('ZREM', keys[2], handle)
  return cause, until_ms
end

-- Ends a session, and answers the cause and the end of the tombstone that lies there then, past
-- or 0 where none does. keys: record, idle, dead, guard
-- args: prefix, handle, bucket, cause, owner ('' for any), 'alone'
local function revoke(keys, args)
  local prefix, handle, owner, now = args[1], args[2], args[5], clock()
  local head, idle = read_head(keys[1]), idle_of(keys[2], handle)
  if owner ~= '' and head == false then
    return { 'unreadable' }
  end
  if owner ~= '' and (not head or head.user ~= owner) then
    -- It may have been ended before, by a call whose answer was lost.
    local stone = tonumber(not head and redis.call('ZSCORE', keys[3], handle) or '0')
    local ends = math.floor(stone / 16)
    return { 'nothing', now, '', '', '0', stone - ends * 16, whole(ends) }
  end
  local word, until_ms, tag, user, stamp = 'nothing', now + HOUR, '', '', 0
  if head == false then
    -- Whose it is and how long it might live cannot be told, and its handle is not left open.
    word, until_ms = 'ended', now + ABSOLUTE_MAX
  elseif head then
    until_ms, tag, user, stamp = head.deadline, head.tag, head.user, head.stamp
    local alive = head.deadline > now and idle > now
    if args[6] == 'alone' and user ~= '' then
      alive = alive and admits(read_entry(prefix, tag, user), handle, stamp)
      unlist(sessions_key(prefix, tag, user), handle)
    end
    word = alive and 'ended' or 'nothing'
  end
  local cause
  cause, until_ms = bury(keys, handle, tonumber(args[4]), until_ms, now)
  tell(prefix .. ':k:r:{' .. args[3] .. '}:' .. text_of(handle) .. ':' .. cause .. ':'
    .. whole(until_ms))
  return { word, now, tag, user, whole(stamp), cause, whole(until_ms) }
end
