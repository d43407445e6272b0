%% Plays histories on OTP's own supervisor and prints what was seen; record-otp.ts runs it.
%% Children, starts that fail, and what happens while an order is carried out come from a table that all processes share.
-module(otp_recorder).
-behaviour(supervisor).
-export([main/1, init/1, start_child/1]).

init({Flags, Specs}) -> {ok, {Flags, Specs}}.

main([File]) ->
    {ok, Hs} = file:consult(File),
    logger:set_primary_config(level, none),
    [ begin io:format("~w ", [N]), play(H) end || {N, H} <- lists:zip(lists:seq(0, length(Hs)-1), Hs)],
    ok.

%% H = {Strategy, Intensity, [{Id,Restart}], [{Id,N}] failing, [{K,[Ev]}], [[Ev]]}
play({Strategy, Intensity, Children, Failing, During, Steps}) ->
    Self = self(),
    {Pid, Mon} = spawn_monitor(fun() -> run(Self, {Strategy, Intensity, Children, Failing, During, Steps}) end),
    receive {seen, Seen} -> io:format("~s~n", [Seen]) after 20000 -> io:format("TIMEOUT~n") end,
    receive {'DOWN', Mon, process, Pid, _} -> ok after 5000 -> exit(Pid, kill) end.

run(Parent, {Strategy, Intensity, Children, Failing, During, Steps}) ->
    process_flag(trap_exit, true),
    T = ets:new(world, [public, named_table]),
    ets:insert(T, [{failing, Failing}, {during, During}, {orders, []}, {k, 0}]),
    Flags = #{strategy => Strategy, intensity => Intensity, period => 3600},
    Specs = [spec(I, R) || {I, R} <- Children],
    Seen0 = case supervisor:start_link(?MODULE, {Flags, Specs}) of
        {ok, Sup} -> ets:insert(T, {sup, Sup}), quiet(Sup), [seen(Sup)];
        {error, _} -> Sup = dead, [seen(dead)]
    end,
    Seen = lists:foldl(fun(Step, Acc) -> step(Sup, Step), [seen(Sup) | Acc] end, Seen0, Steps),
    Parent ! {seen, lists:join("|", lists:reverse(Seen))},
    ets:delete(T),
    case is_pid(Sup) of true -> exit(Sup, kill); false -> ok end.

spec(I, R) -> #{id => I, start => {?MODULE, start_child, [I]}, restart => R, shutdown => 60000}.

alive(P) -> is_pid(P) andalso is_process_alive(P).

step(Sup, Step) ->
    case alive(Sup) of
        false -> ok;
        true ->
            sys:suspend(Sup),
            happen(Sup, Step),
            sys:resume(Sup),
            quiet(Sup)
    end.

quiet(Sup) ->
    Ok = (catch supervisor:which_children(Sup)),
    timer:sleep(2),
    case alive(Sup) of
        false -> ok;
        true ->
            {message_queue_len, L} = case process_info(Sup, message_queue_len) of undefined -> {message_queue_len, 0}; X -> X end,
            St = process_info(Sup, status),
            case {L, St, Ok} of
                {0, {status, waiting}, C} when is_list(C) ->
                    Again = (catch supervisor:which_children(Sup)),
                    if Again =:= C -> ok; true -> quiet(Sup) end;
                _ -> quiet(Sup)
            end
    end.

seen(Sup) ->
    [{orders, O}] = ets:lookup(world, orders),
    Orders = lists:join(",", lists:reverse(O)),
    case alive(Sup) of
        false -> [Orders, ";", "ended"];
        true ->
            Ch = lists:reverse(supervisor:which_children(Sup)),
            C = lists:join(" ", [[atom_to_list(I), case alive(P) of true -> "+"; false -> "-" end] || {I, P, _, _} <- Ch]),
            [Orders, ";", C, ";", integer_to_list(length(element(8, sys:get_state(Sup))))]
    end.

happen(Sup, Evs) -> lists:foreach(fun(E) -> one(Sup, E) end, Evs).

len(Sup) -> case process_info(Sup, message_queue_len) of {_, L} -> L; _ -> 0 end.
one(Sup, {exit, Id, How}) ->
    case ets:lookup(world, {pid, Id}) of
        [{_, P}] ->
            ets:delete(world, {pid, Id}),
            L = len(Sup),
            M = monitor(process, P),
            case How of
                killed -> exit(P, kill);
                normal -> P ! {die, normal};
                _ -> P ! {die, crash}
            end,
            receive {'DOWN', M, process, P, _} -> ok end,
            wait_len(Sup, L + 1, 200);
        [] -> ok
    end;
one(Sup, {stop, Id}) -> call(Sup, {terminate_child, Id});
one(Sup, {remove, Id}) -> call(Sup, {terminate_child, Id}), call(Sup, {delete_child, Id});
one(Sup, {start, Id}) -> call(Sup, {restart_child, Id});
one(Sup, {add, Id, R}) -> call(Sup, {start_child, spec(Id, R)}).

wait_len(_, _, 0) -> ok;
wait_len(Sup, L, N) -> case len(Sup) >= L of true -> ok; false -> timer:sleep(1), wait_len(Sup, L, N-1) end.
call(Sup, Req) ->
    Sup ! {'$gen_call', {sink(), make_ref()}, Req}.
sink() -> spawn(fun() -> receive after 30000 -> ok end end).

order(Sup, Text) ->
    [{orders, O}] = ets:lookup(world, orders),
    ets:insert(world, {orders, [Text | O]}),
    K = length(O),
    [{during, D}] = ets:lookup(world, during),
    case lists:keyfind(K, 1, D) of
        {K, Evs} -> {Evs, Sup};
        false -> {[], Sup}
    end.

%% runs in the supervisor: what happens meanwhile is done by another process
start_child(Id) ->
    Sup = self(),
    N = case ets:lookup(world, {starts, Id}) of [] -> 1; [{_, C}] -> C + 1 end,
    ets:insert(world, {{starts, Id}, N}),
    {Evs, _} = order(Sup, "start " ++ atom_to_list(Id)),
    {P, M} = spawn_monitor(fun() -> happen(Sup, Evs) end),
    receive {'DOWN', M, process, P, _} -> ok end,
    [{failing, F}] = ets:lookup(world, failing),
    case lists:member({Id, N}, F) of
        true -> {error, no_start};
        false ->
            Ref = make_ref(),
            Child = spawn_link(fun() -> process_flag(trap_exit, true), Sup ! Ref, loop(Sup, Id) end),
            receive Ref -> ok end,
            ets:insert(world, {{pid, Id}, Child}),
            {ok, Child}
    end.

loop(Sup, Id) ->
    receive
        {die, Reason} -> exit(Reason);
        {'EXIT', Sup, shutdown} ->
            case ets:take(world, {pid, Id}) of
                [] -> ok;
                _ -> {Evs, _} = order(Sup, "stop " ++ atom_to_list(Id)), happen(Sup, Evs)
            end,
            exit(shutdown);
        _ -> loop(Sup, Id)
    end.
