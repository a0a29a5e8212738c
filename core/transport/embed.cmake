# cmake -DIN=envelope.sh -DOUT=envelope_sh.cpp -P embed.cmake: the shell source as a string, so
# that it stays a file that shells and linters can read.
file(READ "${IN}" text)
file(WRITE "${OUT}" "#include \"transport/envelope_source.hpp\"\nnamespace drill {\nconst std::string_view envelope_source{R\"=====(${text})=====\"};\n}\n")
