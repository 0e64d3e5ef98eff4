"""Meanings of office and home life, each in several wordings, written by hand for this model.

A block is one meaning: first its name, then one wording a line; a line with "!" means something else in nearly the same words.
Slots, the same in all wordings of an example: {P} {Q} persons, {D} day or date, {T} time, {M} money, {N} number, {K} code, {L} town, {C} company,
{I} thing, {W} document, {J} job, {E} event, {A} place.
"""
FRAMES = """
invoice unpaid
The invoice from {C} has not been paid yet.
We still owe {C} the money for their bill.
{C} is waiting for our payment.
unpaid bill {C}
Has anybody settled what {C} charged us?
Payment to {C} is outstanding.
!The invoice from {C} has been paid.

invoice amount
Invoice {K} is for {M}.
How much is invoice {K}?
The total of bill {K} is {M}.
what do we have to pay on {K}
{M} is the sum due on invoice {K}.
invoice {K} total

invoice due
The bill of {C} has to be paid by {D}.
When is the payment to {C} due?
Pay {C} no later than {D}.
due date {C} invoice
{D} is the last day to settle the account of {C}.

refund request
{P} wants to be repaid for the {I}.
A refund for the {I} was requested by {P}.
Please repay {P} what the {I} cost.
{P} asked us to return the price of the {I}.
reimbursement {P} {I}

delivery missing
The {I} we ordered is not here yet.
Where is the {I} from our order?
We are still waiting for the {I} to be delivered.
The parcel with the {I} got lost on its way.
{I} not received
No sign of the {I} that should have come by now.
!The {I} we ordered is here.

delivery date
The {I} will come on {D}.
When do we get the {I}?
Expect the {I} on {D}.
{I} delivery date
{D} is when the {I} is dropped off.
On {D} the courier brings the {I}.

damaged goods
The {I} was damaged when it got here.
On arrival the {I} had a crack.
We received a broken {I}.
{I} arrived in pieces
The {I} did not survive the transport.

wrong item
We were sent a {I} that we did not order.
The box contains a {I}, which is not what we bought.
By mistake somebody shipped us a {I}.
wrong product received: {I}
You delivered a {I} instead of our goods.

stock
There are {N} {I}s left in the warehouse.
How many {I}s do we have in stock?
The stock of {I}s is {N}.
{I} inventory count
We hold {N} of the {I}s in the store.

repair needed
The {I} in {A} does not work.
Somebody should mend the {I} in {A}.
{I} broken {A}
There is a fault with the {I} in {A}.
In {A} the {I} is out of order again.
Can a technician look at the {I} in {A}?
!The {I} in {A} works again.

repair done
The {I} works again.
They have mended the {I}.
Is the {I} usable now? Yes.
{I} repaired
The fault in the {I} is gone.
!The {I} stopped working again.

repair cost
Mending the {I} costs {M}.
What does it cost to fix the {I}?
The repair bill for the {I} is {M}.
{I} repair price
For {M} the workshop puts the {I} right.

water leak
Water is dripping from the ceiling in {A}.
There is a leak in {A}.
{A} is wet because a pipe has burst.
plumber needed {A}
The floor of {A} is flooded.

heating
It is far too cold in {A}.
The radiators in {A} stay cold.
There is no warmth in {A}.
heating failure {A}
We sit in coats in {A} because nothing heats.
!It is far too hot in {A}.

power cut
The lights went out in {A}.
There is no electricity in {A}.
{A} has lost power.
blackout {A}
The current has been cut off in {A}.

meeting time
The {E} with {P} starts at {T}.
At what time do we meet {P}?
We see {P} at {T}.
{P} {E} time
Be ready at {T} for the {E} with {P}.

meeting moved
The {E} was moved to {D}.
The new date of the {E} is {D}.
We put the {E} off until {D}.
{E} postponed
When does the {E} take place now?
The {E} is not this week but on {D}.
!The {E} will not be moved.

meeting cancelled
The {E} is off.
There will be no {E}.
They called the {E} off.
{E} cancelled
The {E} does not take place.
!The {E} takes place as planned.

meeting place
The {E} is held in {A}.
Where is the {E}?
Come to {A} for the {E}.
{E} location
{A} is booked for the {E}.
Everybody meets in {A} when the {E} begins.

meeting attend
{P} cannot come to the {E}.
{P} will miss the {E}.
The {E} has to go on without {P}.
{P} sends apologies for the {E}
Do not expect {P} at the {E}.
!{P} will come to the {E}.

meeting late
{P} will be late for the {E}.
Start the {E} without {P}, who comes later.
{P} is held up and joins the {E} in a while.
{P} not on time {E}

minutes
{P} writes the {E} minutes.
Who takes notes at the {E}?
The record of the {E} is kept by {P}.
note taker {E}
Notes on the {E}: {P}

train trip
{P} goes to {L} by train on {D}.
On {D} {P} takes the railway to {L}.
A rail ticket to {L} for {P}, {D}
How does {P} get to {L}?
{P} rides the train to {L}.

flight booking
{P} needs a flight to {L}.
Please book a plane ticket to {L} for {P}.
{P} wants to fly to {L}.
air ticket {L} {P}
Get {P} a seat on a plane to {L}.

hotel booking
Reserve a room for {P} in {L}.
{P} needs somewhere to sleep in {L}.
Accommodation in {L} for {P}
Book {P} a hotel in {L}.
Where does {P} stay overnight in {L}?
{P} is looking for lodging in {L}.

travel cost
The trip to {L} cost {M}.
What did we spend on travelling to {L}?
Going to {L} came to {M}.
travel expenses {L}
{M} went on the journey to {L}.

travel claim
{P} wants the travel costs back.
{P} handed in an expense claim for the trip.
Repay {P} for tickets and hotel.
expenses {P} journey
{P} paid for the trip and needs the money returned.

lost luggage
The suitcase of {P} did not come off the plane.
{P} lost the luggage on the flight.
The airline cannot find the bag of {P}.
missing baggage {P}
{P} arrived without a suitcase.

passport
The passport of {P} is no longer valid after {D}.
{P} must renew the travel document by {D}.
When does the passport of {P} expire?
{P} passport validity
On {D} the passport of {P} runs out.

vacancy
We are looking for a {J}.
The company wants to hire a {J}.
There is an opening for a {J}.
job advert {J}
Who would like to work for us as a {J}?
We have a free position: {J}.

application
{P} applied for the post of {J}.
{P} would like to become our {J}.
We got the CV of {P}, who wants to be {J}.
candidate {J} {P}
{P} is interested in the job as {J}.

job offer
{P} got the job as {J}.
We are taking {P} on as {J}.
{P} will be our new {J}.
hired: {P}, {J}
The post of {J} goes to {P}.
!{P} did not get the job as {J}.

first day
{P} starts work on {D}.
The first day of {P} is {D}.
{P} joins us on {D}.
When does {P} begin?
{P} start date
!{P} leaves us on {D}.

leaving
{P} leaves the company on {D}.
The last day of {P} is {D}.
{P} has given notice.
{P} resigned
{P} no longer wants to work for us.
{P} is going to another employer.
!{P} starts at the company on {D}.

sick
{P} is ill today.
{P} stays at home because of a cold.
{P} does not feel well and cannot work.
sick note {P}
{P} called in sick.
The doctor has told {P} to rest.
!{P} is well again.

holiday
{P} is on holiday until {D}.
{P} is away on vacation and comes back after {D}.
Out of office: {P}, until {D}
When does {P} return from leave?
{P} took time off up to {D}.

holiday request
{P} asks for leave from {D}.
May {P} take days off, beginning {D}?
{P} would like to be on vacation from {D} on.
leave request {P}
{P} wants some free days starting {D}.

pay rise
{P} wants a higher salary.
{P} asked to be paid more.
More money for {P}, please, is the request.
{P} raise
{P} thinks the pay is too low.

salary
{P} earns {M} a month.
What is the salary of {P}?
Every month {P} is paid {M}.
{P} wage
The monthly pay of {P} is {M}.

parental leave
{P} has become a parent and stays at home for now.
{P} is on leave with the new baby.
{P} looks after a newborn and does not work at present.
baby break {P}

password forgotten
{P} cannot remember the password.
{P} needs a new password.
Please reset the password of {P}.
{P} forgot how to sign in
The password of {P} is lost.

account locked
The account of {P} is blocked.
{P} cannot log in any more.
{P} is locked out of the system.
unlock user {P}
After too many tries {P} has no access.
!The account of {P} is unlocked.

access rights
{P} needs access to the {W}.
Please let {P} open the {W}.
{P} is not allowed to see the {W}.
permission {W} {P}
Give {P} the right to read the {W}.

wifi
The wireless password in {A} is {K}.
Which code gets me online in {A}?
Use {K} to join the network in {A}.
wlan key {A}
Internet access in {A} works with the code {K}.

door code
The code for the door of {A} is {K}.
What lets me into {A}?
Type {K} to open {A}.
entry code {A}
{A} opens with {K}.

slow computer
The computer of {P} is very slow.
The machine of {P} takes ages to do anything.
{P} waits minutes for every click.
{P} pc performance
The laptop of {P} is not fast any more.
!The computer of {P} is fast again.

server down
The server {K} is down.
Nobody can reach {K}.
{K} does not respond.
outage {K}
We lost the connection to {K}.
The service on {K} has stopped.
!The server {K} is up again.

update
{K} must be updated.
There is a new version of {K} to install.
Please upgrade {K}.
{K} software update
The release of {K} that we run is out of date.

bug
There is a bug in the {W} page.
The {W} page shows an error.
Something is wrong with the {W} page.
defect {W} page
When I open the {W} page it fails.

backup
The data of {K} is saved every night.
Where is the safety copy of {K}?
Each night {K} is copied to another disk.
{K} backup
In an emergency {K} can be restored from last night.

file location
The {W} is stored in {A}.
Where do I find the {W}?
Look in {A} for the {W}.
{W} location
We keep the {W} in {A}.
The place of the {W} is {A}.

file owner
{P} wrote the {W}.
Who is the author of the {W}?
The {W} was made by {P}.
{W} author
The {W} comes from {P}.

file version
{P} changed the {W} on {D}.
Who edited the {W} last?
The last change to the {W} was made by {P}.
{W} last edit
On {D} the {W} was altered by {P}.

contract end
The contract with {C} runs until {D}.
When does the agreement with {C} end?
Our deal with {C} is over after {D}.
{C} contract expiry
On {D} the contract with {C} comes to an end.

contract cancel
We want to end the contract with {C}.
Please give {C} notice.
Terminate the agreement with {C}.
{C} cancellation
We no longer want to work with {C}.
!We want to renew the contract with {C}.

contract renew
We extend the contract with {C}.
The agreement with {C} goes on for another year.
We stay with {C}.
{C} renewal
The deal with {C} has been prolonged.
!We end the contract with {C}.

contract signed
{P} signed the {W}.
The {W} carries the signature of {P}.
{P} put a name under the {W}.
{W} signature {P}
!{P} did not sign the {W}.

customer complaint
{P} is not happy with the {I}.
{P} complained about the {I}.
The {I} does not please our customer {P}.
complaint {P} {I}
{P} is annoyed because of the {I}.
!{P} is very happy with the {I}.

customer praise
{P} loves the {I}.
{P} praised the {I}.
We got a kind letter from {P} about the {I}.
good feedback {P} {I}
!{P} cannot stand the {I}.

customer order
{P} ordered {N} {I}s.
How many {I}s does {P} want?
{P} would like to have {N} of the {I}s.
order {P} {I}
An order for {N} {I}s came in from {P}.

price
The {I} costs {M}.
What is the price of the {I}?
You get the {I} for {M}.
{I} price
We ask {M} for the {I}.
How much do I have to pay for the {I}?

discount
{C} gets {N} percent off.
Which discount does {C} have?
{C} pays {N} percent less than others.
{C} rebate
We give {C} a reduction of {N} percent.

phone number
The number of {P} is {K}.
How can I call {P}?
{P} answers the phone at {K}.
{P} telephone
Dial {K} to speak to {P}.

email address
Write to {P} at {K}.
What is the e-mail address of {P}?
Mail for {P} goes to {K}.
{P} contact address
{P} can be reached by mail under {K}.

who is responsible
{P} is in charge of the {W}.
Who takes care of the {W}?
The {W} is the job of {P}.
responsible for {W}
Ask {P} about the {W}.
Questions on the {W} go to {P}.

boss
{P} is the boss of {Q}.
{Q} works for {P}.
Who is the manager of {Q}?
{Q} has {P} as supervisor.
!{Q} is the boss of {P}.
!{P} works for {Q}.

birthday
{P} was born on {D}.
The birthday of {P} is {D}.
When does {P} turn a year older?
{P} birthday date
We congratulate {P} on {D}.

address
{P} lives in {L}.
Where is the home of {P}?
{L} is where {P} has a flat.
{P} residence
{P} has moved to {L}.

job title
{P} works as a {J}.
What does {P} do for a living?
{P} is a {J} by trade.
{P} profession
The work of {P} is that of a {J}.

company seat
{C} is based in {L}.
Where does {C} have its offices?
The headquarters of {C} are in {L}.
{C} location
{L} is the home of {C}.

lending
{P} lent the {I} to {Q}.
{Q} borrowed the {I} from {P}.
{Q} has the {I} of {P}.
The {I} went from {P} to {Q} on loan.
!{Q} lent the {I} to {P}.
!{P} borrowed the {I} from {Q}.

selling
{P} sold the {I} to {Q}.
{Q} bought the {I} from {P}.
The {I} of {P} now belongs to {Q}.
Who got the {I} of {P}?
!{Q} sold the {I} to {P}.
!{P} bought the {I} from {Q}.

giving
{P} sent the {W} to {Q}.
{Q} received the {W} from {P}.
{Q} got the {W}, which came from {P}.
The {W} was sent to {Q} by {P}.
!{Q} sent the {W} to {P}.
!{P} received the {W} from {Q}.

comparing
{P} is taller than {Q}.
{Q} is smaller than {P}.
Of the two, {P} has more height than {Q}.
!{Q} is taller than {P}.
!{P} is smaller than {Q}.

order in time
The {W} came before the {E}.
First there was the {W}, then the {E}.
After the {W} came the {E}.
The {E} followed the {W}.
!The {E} came before the {W}.
!First there was the {E}, then the {W}.

cheaper
The {I} costs less than the {W}.
The {W} is more expensive than the {I}.
You save money if you take the {I} and not the {W}.
!The {I} costs more than the {W}.

preference
{P} likes the {I} more than the {W}.
{P} would rather have the {I} than the {W}.
Given the choice, {P} takes the {I}, not the {W}.
!{P} likes the {W} more than the {I}.

winner
{P} beat {Q}.
{Q} lost against {P}.
The winner is {P}, the loser {Q}.
!{Q} beat {P}.
!{P} lost against {Q}.

opening hours
{A} opens at {T}.
From when can I go to {A}?
You can enter {A} from {T} on.
{A} opening time
!{A} closes at {T}.

closing
{A} closes at {T}.
Until when is {A} open?
At {T} the doors of {A} are shut.
{A} closing time
!{A} opens at {T}.

allowed
You may use the {I} in {A}.
The {I} is allowed in {A}.
Can I take the {I} to {A}? Yes.
There is nothing against a {I} in {A}.
!The {I} is not allowed in {A}.
!Nobody may use the {I} in {A}.

forbidden
The {I} is not allowed in {A}.
You must not use the {I} in {A}.
It is against the rules to bring the {I} into {A}.
ban on the {I} in {A}
!The {I} is allowed in {A}.

food
{P} cannot eat nuts.
Nuts make {P} ill.
{P} has a nut allergy.
Keep nuts away from {P}.
!{P} likes to eat nuts.

diet
{P} eats no meat.
{P} is a vegetarian.
Food for {P} must be free of meat.
!{P} eats meat every day.

pet
The dog of {P} needs food.
Somebody must feed the dog of {P}.
{P} has a hungry dog.
dog food {P}

noise
It is too loud in {A}.
The noise in {A} disturbs us.
Nobody can think in {A} because of the racket.
noisy {A}
!It is nice and quiet in {A}.

space
{A} cannot hold {N} people.
{N} people do not fit into {A}.
We need a bigger place than {A} for {N} guests.
capacity {A}
!{A} is big enough for {N} people.

supply
We have no more {I}s.
The last {I} has been used up.
Please order more {I}s.
out of {I}s
There is not a single {I} left.
!We have more than enough {I}s.

waste
Put the old {I} in the bin.
The {I} can be thrown away.
What becomes of the old {I}?
dispose of {I}
The {I} is rubbish now.
!Keep the old {I}.

reminder
Do not forget the {W} on {D}.
Remember that the {W} has to be done by {D}.
On {D} the {W} must be finished.
deadline {W}
The time limit for the {W} is {D}.

project late
The {W} will not be done in time.
We are behind schedule with the {W}.
The {W} takes longer than planned.
{W} delayed
!The {W} is done ahead of time.

training
{P} teaches the course on {D}.
The training on {D} is given by {P}.
Who is the trainer on {D}?
{D} workshop leader
!{P} attends the course on {D}.

software error
The program stops when I open the {W}.
Opening the {W} makes the application crash.
Each time I look at the {W} everything freezes.
crash {W}

shortcut
Press {K} to save the {W}.
How do I store the {W}?
The keys {K} save the {W}.
save {W} shortcut

port
{C} listens on port {N}.
Which port belongs to {C}?
Connect to {N} to reach {C}.
{C} port number

version
We run version {N} of {C}.
Which release of {C} is installed?
{C} is at version {N}.
{C} version number

security report
Somebody has read the {W} without permission.
The {W} got into the wrong hands.
The {W} leaked out.
data breach {W}

car
The car of {P} has the number {K}.
What is the number plate of {P}?
{K} stands on the car of {P}.
{P} car registration
"""
