-- Says what becomes of a request, and counts it: the same as the limiter in the process does.
-- KEYS[1] names all keys of the limiter; times are milliseconds by Redis's own clock.
local base = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 0
local function arg() at = at + 1; return ARGV[at] end
local function num() return tonumber(arg()) end
local function int(n) return string.format('%.0f', n) end

local address = arg()
local floods, points, about = num(), num(), arg()
local flood, flood_span, score, score_span = num(), num(), num(), num()
local strikes, first, longest = num(), num(), num()
local exact, longest_wait, memory = num(), num(), num()
local function key(kind, whose) return base .. ':' .. kind .. ':' .. whose end

local function buckets(k, span)
  local v = redis.call('HMGET', k, 's', 'c', 'p')
  local s, c, p = tonumber(v[1]), tonumber(v[2]) or 0, tonumber(v[3]) or 0
  if not s or now - s >= 2 * span then return now, 0, 0 end
  if now - s >= span then return s + span, 0, c end
  return s, c, p
end
local function used(s, c, p, span)
  return c + math.ceil(p * (span - math.min(math.max(now - s, 0), span)) / span)
end
local function add(k, span, count)
  local s, c, p = buckets(k, span)
  redis.call('HSET', k, 's', int(s), 'c', int(c + count), 'p', int(p))
  redis.call('PEXPIRE', k, int(2 * span))
  return used(s, c + count, p, span), s + span - now
end

local function block(why)
  local before = tonumber(redis.call('GET', key('times', address))) or 0
  local left = math.min(first * 2 ^ math.min(before, 30), longest)
  redis.call('SET', key('times', address), int(before + 1), 'PX', int(left + memory))
  local seen = ''
  if why == 'attack' then seen = about end
  redis.call('HSET', key('block', address), 'why', why, 'about', seen, 'since', int(now), 'until', int(now + left), 'times', int(before + 1))
  redis.call('PEXPIRE', key('block', address), int(left))
  redis.call('ZADD', base .. ':blocks', int(now + left), address)
  redis.call('ZREMRANGEBYSCORE', base .. ':blocks', '-inf', int(now))
  redis.call('PEXPIRE', base .. ':blocks', int(longest + memory))
  redis.call('DEL', key('strikes', address), key('score', address))
  return { 2, left, 1, why }
end

local blocked = redis.call('PTTL', key('block', address))
if blocked > 0 then return { 2, blocked, 0, redis.call('HGET', key('block', address), 'why') } end
if floods == 1 and flood > 0 and add(key('flood', address), flood_span, 1) > flood then return block('flood') end
if points > 0 and score > 0 then
  local k = key('score', address)
  local sum = add(k, score_span, points)
  redis.call('HSET', k, 'about', about)
  redis.call('ZADD', base .. ':scores', int(now + 2 * score_span), address)
  redis.call('ZREMRANGEBYSCORE', base .. ':scores', '-inf', int(now))
  redis.call('PEXPIRE', base .. ':scores', int(2 * score_span))
  if sum >= score then return block('attack') end
end

-- Name, whose, most, span and what happens past it, for each window.
local windows = {}
while at < #ARGV do
  local name, whose, most = arg(), arg(), num()
  -- Limits of a member may change, and with them how it is counted.
  local kind = most <= exact and 'times' or 'buckets'
  windows[#windows + 1] = { k = key('window-' .. kind, name .. ':' .. whose), most = most, span = num(), past = arg() }
end
for place, w in ipairs(windows) do
  if w.most > 0 then
    local wait = nil
    local held = redis.call('PTTL', w.k .. ':hold')
    if held > 0 then
      wait = held
    elseif w.most <= exact then
      local count = redis.call('LLEN', w.k)
      while count > 0 and tonumber(redis.call('LINDEX', w.k, 0)) + w.span <= now do
        redis.call('LPOP', w.k)
        count = count - 1
      end
      if count >= w.most then wait = tonumber(redis.call('LINDEX', w.k, count - w.most)) + w.span - now end
    else
      local s, c, p = buckets(w.k, w.span)
      if used(s, c, p, w.span) >= w.most then
        local ends, room = s + w.span - now, w.most - 1
        if c > room then
          wait = ends + w.span - math.floor(w.span * room / math.max(c, 1))
        else
          wait = ends - math.floor(w.span * (room - c) / math.max(p, 1))
        end
      end
    end
    if wait then
      if held <= 0 and w.past == 'double' then
        local before = tonumber(redis.call('GET', w.k .. ':repeats')) or 0
        wait = math.min(w.span * 2 ^ math.min(before, 30), math.max(longest_wait, w.span))
        redis.call('SET', w.k .. ':hold', 1, 'PX', int(wait))
        redis.call('SET', w.k .. ':repeats', int(before + 1), 'PX', int(wait + longest_wait))
      elseif w.past == 'strike' and strikes > 0 then
        local count = redis.call('INCR', key('strikes', address))
        redis.call('PEXPIRE', key('strikes', address), int(memory))
        if count >= strikes then return block('sign-in') end
      end
      return { 1, place - 1, math.max(wait, 1) }
    end
  end
end
local left, resets = nil, 0
for _, w in ipairs(windows) do
  if w.most > 0 then
    local count, ends
    if w.most <= exact then
      count = redis.call('RPUSH', w.k, int(now))
      redis.call('PEXPIRE', w.k, int(w.span))
      ends = tonumber(redis.call('LINDEX', w.k, 0)) + w.span - now
    else
      count, ends = add(w.k, w.span, 1)
    end
    if not left then left, resets = math.max(w.most - count, 0), ends end
  end
end
return { 0, left or 0, resets }
