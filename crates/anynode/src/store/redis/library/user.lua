
-- Outdates all sessions of a user but perhaps one, by moving the epoch of the user's entry.
--
-- Once only, however often this call arrives: a try that lies in a socket, and runs after a later
-- one was acknowledged, would end the sessions that were bound since.
-- keys: users, guard, once; args: prefix, tag, user, spared handle or ''
local function outdate(keys, args)
  local prefix, tag, user, spared = args[1], args[2], args[3], args[4]
  local now, old = clock(), read_entry(prefix, tag, user)
  if not redis.call('SET', keys[3], '', 'NX', 'PX', ONCE) and old ~= '' then
    return { now, old }
  end
  local before = epoch_of(old)
  local epoch = math.max(before + 1, clock_micros())
  local entry = packed(epoch) .. packed(now + ABSOLUTE_MAX)
  local name, from = '-', 0
  if spared ~= '' then
    -- Sparing a session that was spared before keeps its lowest stamp: it may not have been
    -- stamped anew since.
    from = before
    if #old == 40 and string.sub(old, 17, 32) == spared then
      from = number_at(old, 33)
    end
    entry, name = entry .. spared .. packed(from), text_of(spared)
  end
  redis.call('HSET', keys[1], user, entry)
  outlive(keys[1], now + ABSOLUTE_MAX)
  tell(prefix .. ':k:u:{' .. tag .. '}:' .. whole(epoch) .. ':' .. name .. ':' .. whole(from)
    .. ':' .. user)
  return { now, entry }
end

-- The entry of a user, from an authoritative primary only (see load).
-- keys: users; args: user
local function entry(keys, args)
  return { clock(), redis.call('HGET', keys[1], args[1]) or '' }
end

-- The part of a bind that is the user's, where the record is elsewhere: lists the session and
-- answers the entry that it is to be stamped by.
-- keys: users, sessions, guard; args: user, handle, deadline as of the record's primary
local function join(keys, args)
  local now = clock()
  local deadline = settled({ deadline = args[3] }, now)
  local found = redis.call('HGET', keys[1], args[1]) or ''
  if deadline > now then
    enlist(keys[2], args[2], deadline, now)
    keep_entry(keys[1], args[1], found, deadline + HOUR)
  end
  return { now, found }
end

-- Takes sessions out of the list of a user, and answers the entry.
-- keys: users, sessions, guard; args: user, then the handles
local function leave(keys, args)
  for at = 2, #args do
    unlist(keys[2], args[at])
  end
  return { clock(), redis.call('HGET', keys[1], args[1]) or '' }
end

-- A page of the list of a user: handles, dead or alive, just after one.
-- keys: sessions, guard; args: handle or '', limit
local function page(keys, args)
  local after = args[1] == '' and '-' or '(' .. args[1] .. string.rep('\255', 8)
  local members = redis.call('ZRANGEBYLEX', keys[1], after, '+', 'LIMIT', 0, args[2])
  local now, handles = clock(), {}
  for at, member in ipairs(members) do
    handles[at] = string.sub(member, 1, 16)
    -- Only past its own deadline: a member without a record may be a create on its way.
    if number_at(member, 17) <= now then
      redis.call('ZREM', keys[1], member)
    end
  end
  return handles
end
