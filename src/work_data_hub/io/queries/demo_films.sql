-- hold: keep a second seeding out until this transaction ends; readers go on
lock table content.film_work, ugc.ratings in share row exclusive mode

-- add_films: the ten films of the demo, their titles as people type them, minutes apart
insert into content.film_work (id, title, rating, updated_at)
select ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid,
       title,
       rating,
       timestamptz '2025-01-01 08:00:00+00' + number * interval '5 minutes'
from (
  values
    (1, 'The Quiet Harbour', 7.8),
    (2, '  a winter in  lhasa', 8.4),
    (3, 'the lamplighter''s daughter ', 6.9),
    (4, 'Nine Bridges', null),
    (5, 'river   of   glass', 7.1),
    (6, 'NORTH OF THE WALL', 5.6),
    (7, E'the\tsecond spring', 9.0),
    (8, '  长江 往事 ', 8.8),
    (9, 'letters to  no one', null),
    (10, 'Salt and Paper', 6.3)
) as film (number, title, rating)
on conflict (id) do nothing

-- add_film_ratings: three to five ratings of each of the ten films, once a film and viewer
insert into ugc.ratings (film_id, user_id, rating, created_at)
select film_id,
       user_id,
       1 + mod(number * 3 + viewer * 2, 10),
       timestamptz '2025-01-02 08:00:00+00' + number * interval '1 hour' + viewer * interval '1 minute'
from generate_series(1, 10) as number
cross join lateral generate_series(1, 3 + mod(number, 3)) as viewer
cross join lateral (
  select ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid as film_id,
         md5('demo viewer ' || viewer)::uuid as user_id
) as made
where not exists (
  select 1 from ugc.ratings as given where given.film_id = made.film_id and given.user_id = made.user_id
)
order by number, viewer

-- add_generated_films: as many films as wanted, ids made from their number; three at a time share updated_at
insert into content.film_work (id, title, rating, updated_at)
select md5('demo film ' || number)::uuid,
       'Generated film ' || number,
       case when mod(number, 10) > 0 then (mod(number, 91) + 10) / 10.0 end,
       timestamptz '2025-01-03 08:00:00+00' + (number / 3) * interval '1 second'
from generate_series(1, %(scale)s) as number
-- In the order of the index, which a million of them would fill at random otherwise.
order by 1
on conflict (id) do nothing

-- add_generated_ratings: three ratings of each generated film, once a film and viewer
insert into ugc.ratings (film_id, user_id, rating, created_at)
select film_id,
       user_id,
       1 + mod(number + viewer * 4, 10),
       timestamptz '2025-01-04 08:00:00+00' + number * interval '1 second' + viewer * interval '1 minute'
from generate_series(1, %(scale)s) as number
cross join generate_series(1, 3) as viewer
cross join lateral (
  select md5('demo film ' || number)::uuid as film_id, md5('demo viewer ' || viewer)::uuid as user_id
) as made
where not exists (
  select 1 from ugc.ratings as given where given.film_id = made.film_id and given.user_id = made.user_id
)
order by film_id

-- weigh: let the planner know what is there, or it takes a table just filled for an empty one
analyze content.film_work, ugc.ratings

-- count_rows: films and ratings there are
select (select count(*) from content.film_work), (select count(*) from ugc.ratings)
