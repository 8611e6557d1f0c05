# Completes lambda-shell in fish. Made by "lambda-shell completion fish" from the tool's own commands:
#     lambda-shell completion fish > ~/.config/fish/completions/lambda-shell.fish

# Completes a value: files, folders, or one of some words.
function __lambda_shell_value --argument-names kind current
    switch $kind
        case file
            __fish_complete_path $current
        case dir
            __fish_complete_directories $current
        case 'words:*'
            string replace words: '' -- $kind | string split ' '
    end
end

function __lambda_shell_complete
    # One line for each thing to complete: its command, its kind, its name, its value, what it is.
    set -l table '@TABLE@'
    set -l current (commandline --current-token)
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l previous $before[-1]
    set -l command ''
    set -l argument ''
    set -l prefix ''
    if string match --quiet -- '--*=*' $current
        set -l parts (string split --max 1 = -- $current)
        set previous $parts[1]
        set prefix "$parts[1]="
        set current $parts[2]
    end
    for word in $before[2..]
        if test "$word" = --
            __fish_complete_path $current
            return
        end
        if test -z "$command"; and not string match --quiet -- '-*' $word
            set command $word
        end
    end
    set -l described
    for line in (string split \n -- $table)
        set -l fields (string split '|' -- $line)
        test "$fields[1]" = "$command"; or continue
        # With a letter before it, no name is an operator of test.
        if test "$fields[2]$fields[3]" = "option$previous"; and test -n "$fields[4]"
            for value in (__lambda_shell_value $fields[4] $current)
                echo $prefix$value
            end
            return
        end
        if test "$fields[2]" = argument
            set argument $fields[4]
        else
            set --append described $fields[3]\t$fields[5]
        end
    end
    if not string match --quiet -- '-*' $current; and test -n "$argument"
        __lambda_shell_value $argument $current
    else
        string join \n -- $described
    end
end

complete --command lambda-shell --no-files --arguments '(__lambda_shell_complete)'
