
local function key_of(prefix, kind, bucket)
  return string.format('%s:%s:{%03x}', prefix, kind, bucket)
end

-- How many items are due in each of some buckets: pairs of bucket and number, without those
-- that have none. Keys of one slot only are asked for at once in a cluster.
-- args: prefix, first bucket, number of buckets
local function due(keys, args)
  local now, found = clock(), {}
  local first = tonumber(args[2])
  for bucket = first, first + tonumber(args[3]) - 1 do
    local number = redis.call('ZCOUNT', key_of(args[1], 'i', bucket), '-inf', whole(now))
      + redis.call('ZCOUNT', key_of(args[1], 'd', bucket), '-inf', whole(now * 16 + 15))
    if number > 0 then
      found[#found + 1] = bucket
      found[#found + 1] = number
    end
  end
  return found
end

-- Removes what is dead in a bucket, at most so many. Where the entries of users are elsewhere,
-- bound records are only answered, as handle and head, for the node to judge and reap.
-- keys: idle, dead, guard; args: prefix, bucket, limit, 'alone'
local function sweep(keys, args)
  local prefix, limit, now, waiting = args[1], tonumber(args[3]), clock(), {}
  local stones = redis.call('ZRANGEBYSCORE', keys[2], '-inf', whole(now * 16 + 15), 'LIMIT', 0,
    limit)
  if #stones > 0 then
    redis.call('ZREM', keys[2], unpack(stones))
  end
  local removed = #stones
  local idle = redis.call('ZRANGEBYSCORE', keys[1], '-inf', whole(now), 'LIMIT', 0,
    limit - removed)
  for _, handle in ipairs(idle) do
    local key = prefix .. ':k:s:{' .. args[2] .. '}:' .. text_of(handle)
    local bytes = redis.call('GETRANGE', key, 0, HEAD_BYTES_MAX - 1)
    local head = head_of(bytes)
    if head == nil then
      redis.call('ZREM', keys[1], handle)
      removed = removed + 1
    elseif head and head.user ~= '' and args[4] ~= 'alone' then
      waiting[#waiting + 1] = handle
      waiting[#waiting + 1] = bytes
    elseif head then
      removed = removed + 1
      local entry = ''
      if head.user ~= '' then
        entry = read_entry(prefix, head.tag, head.user)
        unlist(sessions_key(prefix, head.tag, head.user), handle)
      end
      local record = { key, keys[1], keys[2] }
      if head.user ~= '' and not admits(entry, handle, head.stamp) then
        -- Its handle could be created anew and bear a stamp that is good again, so a
        -- revocation leaves its mark until the deadline.
        bury(record, handle, CAUSE_EPOCH, head.deadline, now)
      else
        redis.call('DEL', key)
        redis.call('ZREM', keys[1], handle)
      end
    end
  end
  return { removed, waiting }
end

-- Removes or buries what a node judged, if it is still the version that was judged and still
-- idle. keys: idle, dead, guard; args: prefix, bucket, then handle, version and 'bury' or 'drop'
local function reap(keys, args)
  local now, reaped = clock(), {}
  for at = 3, #args, 3 do
    local handle = args[at]
    local key = args[1] .. ':k:s:{' .. args[2] .. '}:' .. text_of(handle)
    local head = read_head(key)
    if head and head.version == args[at + 1] and idle_of(keys[1], handle) <= now then
      if args[at + 2] == 'bury' then
        bury({ key, keys[1], keys[2] }, handle, CAUSE_EPOCH, head.deadline, now)
      else
        redis.call('DEL', key)
        redis.call('ZREM', keys[1], handle)
      end
      reaped[#reaped + 1] = handle
    end
  end
  return reaped
end

-- Removes user entries past their end, a few at a time.
-- keys: users, guard; args: cursor
local function tidy(keys, args)
  local now, removed = clock(), 0
  local found = redis.call('HSCAN', keys[1], args[1], 'COUNT', 64)
  for at = 1, #found[2], 2 do
    if number_at(found[2][at + 1], 9) <= now then
      removed = removed + redis.call('HDEL', keys[1], found[2][at])
    end
  end
  return { found[1], removed }
end

-- The handles of a bucket: those of records with their idle deadlines, then the tombstones.
-- keys: idle, dead
local function bucket(keys)
  return {
    redis.call('ZRANGE', keys[1], 0, -1, 'WITHSCORES'),
    redis.call('ZRANGE', keys[2], 0, -1, 'WITHSCORES'),
  }
end

-- One item of a scan: what is under a handle now.
-- keys: record, idle, dead; args: handle
local function item(keys, args)
  local record = redis.call('GET', keys[1])
  if record then
    return { 'record', clock(), whole(idle_of(keys[2], args[1])), record, '' }
  end
  local stone = redis.call('ZSCORE', keys[3], args[1])
  return stone and { 'tombstone', stone } or { 'none' }
end

local function register(name, callback, flags)
  redis.register_function({
    function_name = 'anynode_1_' .. name,
    callback = callback,
    flags = flags,
  })
end

register('create', create, {})
register('replace', replace, {})
register('join', join, {})

-- What goes through when memory is full: it reads, ends sessions, or frees more than it takes
-- (L13).
local FULL = { 'allow-oom' }
register('load', load, FULL)
register('touch', touch, FULL)
register('revoke', revoke, FULL)
register('outdate', outdate, FULL)
register('entry', entry, FULL)
register('leave', leave, FULL)
register('page', page, FULL)
register('due', due, FULL)
register('sweep', sweep, FULL)
register('reap', reap, FULL)
register('tidy', tidy, FULL)
register('bucket', bucket, FULL)
register('item', item, FULL)
