-- Takes over blocks that a node made while it was alone; what stands here already stays as it is.
-- KEYS[1] names all keys of the limiter. How long the index is kept, and a block remembered after its end, in
-- milliseconds; then of each block whose it is, why, like which attacks, since when, which one it is and what is left.
local base = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(n) return string.format('%.0f', n) end

for at = 3, #ARGV, 6 do
  local whose, why, about, since, times, left = unpack(ARGV, at, at + 5)
  local key = base .. ':block:' .. whose
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'why', why, 'about', about, 'since', since, 'until', int(now + left), 'times', times)
    redis.call('PEXPIRE', key, left)
    redis.call('SET', base .. ':times:' .. whose, times, 'PX', int(left + ARGV[2]), 'NX')
    redis.call('ZADD', base .. ':blocks', int(now + left), whose)
  end
end
redis.call('PEXPIRE', base .. ':blocks', ARGV[1])
